//! State files: of the users that are polled, and such as no exporter has written.

use std::{
    fs::File,
    io::{BufWriter, Seek, SeekFrom, Write},
    path::Path,
};

use serde_json::json;
use sha2::{Digest, Sha256};
use tencentcloud_api::{Clock, SystemClock};

use crate::api::{FIRST_UIN, key_id};

/// A version that exporters go on reading. The sum is of what follows it.
const VERSION: &str = "3";
const SUM: usize = 64;

const SPARSE_BYTES: u64 = 300 << 20;
const FOREIGN_USERS: u64 = 2_000_000;

/// What the exporter finds when it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Every user, as just polled.
    Known,
    /// No file yet.
    Absent,
    /// Zeroes, for which the disk has no place.
    Sparse,
    /// Users of an account that is not configured.
    Foreign,
}

// === impl State ===

impl State {
    pub(crate) fn write(self, path: &Path, accounts: u64, users: u64) {
        match self {
            Self::Absent => {}
            Self::Sparse => File::create(path).unwrap().set_len(SPARSE_BYTES).unwrap(),
            Self::Known => {
                let answered = SystemClock.now().as_second();
                write(path, (0..users).map(|user| {
                    let uin = FIRST_UIN + user;
                    let key = |number| json!({"label": key_id(uin, number), "status": "Active", "created": 1_735_689_600});
                    let account = format!("account-{}", user * accounts / users);
                    let row = json!({"account": account, "id_label": "full", "uin": uin, "up": true, "answered": answered, "keys": [key(0), key(1)]});
                    row.to_string()
                }));
            }
            Self::Foreign => write(
                path,
                (0..FOREIGN_USERS).map(|user| {
                    let uin = FIRST_UIN + user;
                    format!(
                        r#"{{"account":"x","id_label":"full","uin":{uin},"up":true,"answered":1735689600,"keys":[]}}"#
                    )
                }),
            ),
        }
    }
}

/// A good file of these rows.
fn write(path: &Path, rows: impl Iterator<Item = String>) {
    let mut file = BufWriter::new(File::create(path).unwrap());
    let header = format!("tencentcloud-cam-exporter state {VERSION} sha256:");
    writeln!(file, "{header}{:0>SUM$}", "").unwrap();
    let mut sum = Sha256::new();
    sum.update(format!("{VERSION}\n"));
    for row in rows {
        sum.update(&row);
        sum.update("\n");
        writeln!(file, "{row}").unwrap();
    }
    file.seek(SeekFrom::Start(header.len() as u64)).unwrap();
    file.write_all(hex::encode(sum.finalize()).as_bytes()).unwrap();
    file.flush().unwrap();
}
