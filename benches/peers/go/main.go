// Exposes the users of a file the way exporters in Go usually do: a collector that makes constant metrics at each scrape,
// behind promhttp.Handler. It polls nothing.
//
// Usage: peer -listen ADDRESS -users FILE
package main

import (
	"encoding/json"
	"flag"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

var statuses = []string{"Active", "Inactive", "Unknown"}

type user struct {
	Account  string `json:"account"`
	UIN      string `json:"uin"`
	Answered int64  `json:"answered"`
	Keys     []struct {
		ID      string `json:"id"`
		Status  string `json:"status"`
		Created int64  `json:"created"`
	} `json:"keys"`
}

type exporter struct {
	users []user

	counts, created, age, status, up, answered *prometheus.Desc
}

func newExporter(users []user) *exporter {
	describe := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("tencentcloud_cam_"+name, help, labels, nil)
	}
	return &exporter{
		users:    users,
		counts:   describe("access_keys", "Access keys of the user by status, as last answered by the API, which is polled once every poll interval.", "account", "uin", "status"),
		created:  describe("access_key_created_timestamp_seconds", "Unix time at which the access key was created.", "account", "uin", "access_key_id"),
		age:      describe("access_key_age_seconds", "Age of the access key at the scrape, by the exporter's clock.", "account", "uin", "access_key_id"),
		status:   describe("access_key_status", "Status of the access key as last polled: 1 for the status it has, 0 for the others.", "account", "uin", "access_key_id", "status"),
		up:       describe("user_up", "Whether the last poll brought the user's access keys.", "account", "uin"),
		answered: describe("user_last_success_timestamp_seconds", "Unix time at which the API last answered about the user.", "account", "uin"),
	}
}

func (e *exporter) Describe(descs chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{e.counts, e.created, e.age, e.status, e.up, e.answered} {
		descs <- desc
	}
}

func (e *exporter) Collect(metrics chan<- prometheus.Metric) {
	now := time.Now().Unix()
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	for _, user := range e.users {
		counts := map[string]float64{}
		for _, key := range user.Keys {
			counts[key.Status]++
			gauge(e.created, float64(key.Created), user.Account, user.UIN, key.ID)
			gauge(e.age, float64(now-key.Created), user.Account, user.UIN, key.ID)
			for _, status := range statuses {
				value := 0.0
				if status == key.Status {
					value = 1
				}
				gauge(e.status, value, user.Account, user.UIN, key.ID, status)
			}
		}
		for _, status := range statuses {
			gauge(e.counts, counts[status], user.Account, user.UIN, status)
		}
		gauge(e.up, 1, user.Account, user.UIN)
		gauge(e.answered, float64(user.Answered), user.Account, user.UIN)
	}
}

func main() {
	listen := flag.String("listen", "", "where to listen, host:port")
	file := flag.String("users", "", "the users to expose, in JSON")
	flag.Parse()
	text, err := os.ReadFile(*file)
	if err != nil {
		log.Fatal(err)
	}
	var users []user
	if err := json.Unmarshal(text, &users); err != nil {
		log.Fatal(err)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(newExporter(users))
	http.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	log.Fatal(http.ListenAndServe(*listen, nil))
}
