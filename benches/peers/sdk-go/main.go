// Polls ListAccessKeys for a list of users with Tencent Cloud's SDK, behind a rate limiter of golang.org/x/time.
//
// Usage: peer HOST:PORT FIRST_UIN LAST_UIN RATE SECONDS
package main

import (
	"context"
	"encoding/json"
	"errors"
	"log"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common"
	sdkerrors "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/errors"
	tchttp "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/http"
	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/profile"
	"golang.org/x/time/rate"
)

const maxInFlight = 16

// The types of the SDK's module for CAM, which has the same fields and only calls Send of the common client.

type listAccessKeysRequest struct {
	*tchttp.BaseRequest
	TargetUin *uint64 `json:"TargetUin,omitnil,omitempty"`
}

type accessKey struct {
	AccessKeyID *string `json:"AccessKeyId,omitnil,omitempty"`
	Status      *string `json:"Status,omitnil,omitempty"`
	CreateTime  *string `json:"CreateTime,omitnil,omitempty"`
	Description *string `json:"Description,omitnil,omitempty"`
}

type listAccessKeysResponse struct {
	*tchttp.BaseResponse
	Response *struct {
		AccessKeys []*accessKey `json:"AccessKeys,omitnil,omitempty"`
		RequestID  *string      `json:"RequestId,omitnil,omitempty"`
	} `json:"Response"`
}

type poller struct {
	client *common.Client

	mutex                       sync.Mutex
	keys                        map[uint64][]*accessKey
	answered, throttled, failed int
}

func (p *poller) poll(uin uint64) {
	request := &listAccessKeysRequest{BaseRequest: &tchttp.BaseRequest{}, TargetUin: &uin}
	request.Init().WithApiInfo("cam", "2019-01-16", "ListAccessKeys")
	response := &listAccessKeysResponse{BaseResponse: &tchttp.BaseResponse{}}
	err := p.client.Send(request, response)

	p.mutex.Lock()
	defer p.mutex.Unlock()
	var refused *sdkerrors.TencentCloudSDKError
	switch {
	case err == nil:
		p.answered++
		p.keys[uin] = response.Response.AccessKeys
	case errors.As(err, &refused) && refused.GetCode() == "RequestLimitExceeded":
		p.throttled++
	default:
		p.failed++
		log.Print(err)
	}
}

func main() {
	if len(os.Args) != 6 {
		log.Fatal("usage: peer HOST:PORT FIRST_UIN LAST_UIN RATE SECONDS")
	}
	numbers := [4]uint64{}
	for i, argument := range os.Args[2:] {
		number, err := strconv.ParseUint(argument, 10, 64)
		if err != nil {
			log.Fatal(err)
		}
		numbers[i] = number
	}
	first, last, perSecond, seconds := numbers[0], numbers[1], numbers[2], numbers[3]

	settings := profile.NewClientProfile()
	settings.HttpProfile.Scheme = "HTTP"
	settings.HttpProfile.Endpoint = os.Args[1]
	settings.HttpProfile.ReqTimeout = 1
	credential := common.NewCredential(os.Getenv("TENCENTCLOUD_SECRET_ID"), os.Getenv("TENCENTCLOUD_SECRET_KEY"))
	p := poller{client: common.NewCommonClient(credential, "", settings), keys: map[uint64][]*accessKey{}}

	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(seconds)*time.Second)
	defer cancel()
	limiter := rate.NewLimiter(rate.Limit(perSecond), 1)
	slots := make(chan struct{}, maxInFlight)
	var polls sync.WaitGroup
	for uin := first; ; uin++ {
		if uin > last {
			uin = first
		}
		slots <- struct{}{}
		if limiter.Wait(ctx) != nil {
			break
		}
		polls.Go(func() {
			defer func() { <-slots }()
			p.poll(uin)
		})
	}
	polls.Wait()
	counts := map[string]int{"answered": p.answered, "throttled": p.throttled, "failed": p.failed}
	if err := json.NewEncoder(os.Stdout).Encode(counts); err != nil {
		log.Fatal(err)
	}
}
