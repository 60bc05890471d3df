//! Serves the API until standard input ends. `benches/chaos` drives it:
//!
//!     cargo run --release --package tencentcloud-simulator --example serve -- 0.0.0.0:8080
//!
//! It prints the credential of the caller, and then answers each line of standard input with a line of JSON:
//!
//! - `keys UIN ID CREATED ID CREATED …`: from now on the user has these keys, created at these Unix times.
//! - `log`: the requests so far, the most that any second holds, and each of them: its Unix time, the user and the outcome.
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program of its own, unlike what the rules are for"
)]

use std::{env, error::Error, io, sync::Arc};

use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tencentcloud_api::SystemClock;
use tencentcloud_simulator::{Caller, Key, Outcome, Population, Simulator, User, densest_second, serve};
use tokio::{net::TcpListener, task::spawn_blocking, time::Instant};
use tokio_util::sync::CancellationToken;

type Failure = Box<dyn Error + Send + Sync>;

/// The caller, who is none of the users.
const CALLER: u64 = 100_000_000_001;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let address = env::args().nth(1).ok_or("usage: serve ADDRESS")?;
    let credential = Population::demo_credential();
    let (id, key) = (credential.secret_id.expose_secret(), credential.secret_key.expose_secret());
    let ready = json!({"secret_id": id, "secret_key": key});
    let callers = vec![Caller { uin: CALLER, credential }];
    let population = Population { callers, ..Population::default() };
    let simulator = Arc::new(Simulator::new(Arc::new(SystemClock), population));
    let listener = TcpListener::bind(address).await?;
    println!("{ready}");
    let obeyed = spawn_blocking({
        let simulator = Arc::clone(&simulator);
        move || obey(&simulator)
    });
    tokio::select! {
        () = serve(listener, simulator, CancellationToken::new()) => Ok(()),
        obeyed = obeyed => obeyed?,
    }
}

/// Follows the lines of standard input to their end.
fn obey(simulator: &Simulator) -> Result<(), Failure> {
    for line in io::stdin().lines() {
        let line = line?;
        let words: Vec<&str> = line.split(' ').collect();
        let answer = match words[..] {
            ["keys", uin, ref keys @ ..] => {
                let user = User::with_keys(keys.chunks(2).map(key).collect::<Result<Vec<_>, _>>()?);
                let uin = uin.parse()?;
                simulator.edit(|population| population.users.insert(uin, user));
                Value::Null
            }
            ["log"] => log(simulator),
            _ => return Err(format!("not a command: {line}").into()),
        };
        println!("{answer}");
    }
    Ok(())
}

fn key(words: &[&str]) -> Result<Key, Failure> {
    let [id, created] = words else { return Err("a key is ID CREATED".into()) };
    Ok(Key::new(*id, "Active", Timestamp::from_second(created.parse()?)?))
}

fn log(simulator: &Simulator) -> Value {
    let arrivals = simulator.arrivals();
    let (now, wall) = (Instant::now(), Timestamp::now().as_duration().as_secs_f64());
    let rows = arrivals.iter().map(|arrival| {
        let outcome = match &arrival.outcome {
            Outcome::Answered => "answered",
            Outcome::TooFrequent => "too frequent",
            Outcome::Error(code) => code.as_str(),
            Outcome::Faulted => "faulted",
        };
        let ago = now.duration_since(arrival.at).as_secs_f64();
        json!([wall - ago, arrival.target, outcome])
    });
    json!({"requests": arrivals.len(), "densest": densest_second(&arrivals), "arrivals": rows.collect::<Value>()})
}
