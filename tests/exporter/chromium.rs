//! A headless Chromium, driven over a pipe by its `DevTools` protocol.
//!
//! Messages are JSON, each ended by a NUL: <https://chromedevtools.github.io/devtools-protocol/>.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use serde_json::{Value, json};
use tempfile::TempDir;

/// Chromium with one tab. Ended when dropped.
pub(crate) struct Chromium {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    session: Option<String>,
    messages: u64,
    /// Its events.
    events: Vec<Value>,
    _profile: TempDir,
}

// === impl Chromium ===

impl Chromium {
    pub(crate) fn start() -> Self {
        let profile = tempfile::tempdir().unwrap();
        // It reads from descriptor 3 and writes to 4, which the shell can give it and Rust cannot.
        let command = "exec chromium --headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage \
                       --no-first-run --remote-debugging-pipe \"--user-data-dir=$0\" 3<&0 4>&1 0</dev/null 1>&2";
        let mut child = Command::new("sh")
            .args(["-c", command])
            .arg(profile.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (to, from) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut chromium = Self { child, to, from, session: None, messages: 0, events: vec![], _profile: profile };
        let tab = chromium.call("Target.createTarget", &json!({"url": "about:blank"}))["targetId"].clone();
        let attached = chromium.call("Target.attachToTarget", &json!({"targetId": tab, "flatten": true}));
        chromium.session = Some(attached["sessionId"].as_str().unwrap().to_owned());
        for domain in ["Page", "Log", "Runtime"] {
            chromium.call(&format!("{domain}.enable"), &json!({}));
        }
        chromium
    }

    /// From now on the window is so wide, and the reader likes that scheme, `light` or `dark`.
    pub(crate) fn appear(&mut self, width: u32, scheme: &str) {
        let mobile = width < 600;
        let screen = json!({"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": mobile});
        self.call("Emulation.setDeviceMetricsOverride", &screen);
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.call("Emulation.setEmulatedMedia", &media);
    }

    /// From now on the reader prefers that language.
    pub(crate) fn accept_language(&mut self, language: &str) {
        self.call("Network.enable", &json!({}));
        self.call("Network.setExtraHTTPHeaders", &json!({"headers": {"Accept-Language": language}}));
    }

    /// Loads a page whole.
    pub(crate) fn load(&mut self, url: &str) {
        let answer = self.call("Page.navigate", &json!({"url": url}));
        assert_eq!(answer.get("errorText"), None, "{answer}");
        while !self.events.iter().any(|event| event["method"] == "Page.loadEventFired") {
            let event = self.read();
            self.events.push(event);
        }
        self.events.retain(|event| event["method"] != "Page.loadEventFired");
    }

    /// What the expression is worth in the page.
    pub(crate) fn evaluate(&mut self, expression: &str) -> Value {
        let mut answer = self.call("Runtime.evaluate", &json!({"expression": expression, "returnByValue": true}));
        assert_eq!(answer.get("exceptionDetails"), None, "{answer}");
        answer["result"]["value"].take()
    }

    /// A picture of the whole page, as PNG.
    pub(crate) fn picture(&mut self) -> Vec<u8> {
        let height = self.evaluate("document.documentElement.scrollHeight");
        let width = self.evaluate("innerWidth");
        let clip = json!({"x": 0, "y": 0, "width": width, "height": height, "scale": 1});
        let answer = self.call("Page.captureScreenshot", &json!({"captureBeyondViewport": true, "clip": clip}));
        base64::Engine::decode(&base64::engine::general_purpose::STANDARD, answer["data"].as_str().unwrap()).unwrap()
    }

    /// What has gone to the console so far: errors, what the policy forbade, what was not found.
    pub(crate) fn console(&self) -> Vec<&Value> {
        const METHODS: [&str; 3] = ["Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown"];
        self.events.iter().filter(|event| METHODS.iter().any(|method| event["method"] == *method)).collect()
    }

    fn call(&mut self, method: &str, params: &Value) -> Value {
        self.messages += 1;
        let mut message = json!({"id": self.messages, "method": method, "params": params});
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.to.write_all(format!("{message}\0").as_bytes()).unwrap();
        loop {
            let mut output = self.read();
            if output["id"] == self.messages {
                assert_eq!(output.get("error"), None, "{method}: {output}");
                return output["result"].take();
            }
            self.events.push(output);
        }
    }

    fn read(&mut self) -> Value {
        let mut message = vec![];
        self.from.read_until(0, &mut message).unwrap();
        assert_eq!(message.pop(), Some(0), "chromium is not there, or has ended");
        serde_json::from_slice(&message).unwrap()
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
