//! The state file. The first byte is the version in the header. The checksum is made to be right, but for version 0, where the
//! input is the whole file.

#![no_main]

use std::{fs, sync::Arc};

use fuzz::{NOW, file, folder};
use libfuzzer_sys::fuzz_target;
use sha2::{Digest as _, Sha256};
use tencentcloud_cam_exporter::{
    inventory::{Account, AccountSettings, IdLabel, Inventory},
    metrics,
    state::{State, StateFile, Wanted},
};

fn content(version: u8, body: &[u8]) -> Vec<u8> {
    let mut sum = Sha256::new();
    match version {
        0 => return body.to_vec(),
        1 | 2 => {}
        _ => sum.update(format!("{version}\n")),
    }
    sum.update(body);
    let header = format!("tencentcloud-cam-exporter state {version} sha256:{}\n", hex::encode(sum.finalize()));
    [header.as_bytes(), body].concat()
}

/// The state but for the number of rows that could not be used, which is not saved.
fn rows(state: &State) -> String {
    format!("{state:?}").replace(&format!("skipped: {}", state.skipped()), "skipped: 0")
}

fn inventory() -> Inventory {
    let account = |name: &str, id_label| {
        let settings = AccountSettings { id_label, ..AccountSettings::default() };
        let users = (1..4_u64).map(|uin| uin.try_into().expect("a UIN"));
        Arc::new(Account::new(name.parse().expect("a name"), settings, users))
    };
    Inventory::new(vec![account("prod", IdLabel::Masked), account("a", IdLabel::Full), account("7", IdLabel::Hashed)])
}

fuzz_target!(|data: &[u8]| {
    let [version, body @ ..] = data else { return };
    let state_file = StateFile::new(file("state", &content(version % 6, body)));
    let loaded = match state_file.load() {
        Ok(Some(state)) => state,
        Ok(None) => panic!("there was a file"),
        Err(refused) => {
            assert!(refused.to_string().contains("state.unusable"));
            assert!(fs::remove_file(folder().join("state.unusable")).is_ok(), "it was not put aside");
            return;
        }
    };
    let wanted = state_file
        .load_wanted(&Wanted { user: &|name, uin| name.as_str() == "prod" || uin.get() == 7, members: &|_| false });
    assert!(wanted.is_ok_and(|state| state.is_some()), "it loaded before");

    state_file.save(&loaded).expect("it is saved");
    let again = state_file.load().expect("it loads").expect("it was saved");
    assert_eq!(again.skipped(), 0);
    assert_eq!(rows(&again), rows(&loaded), "a save lost something");

    let mut possible = again.clone();
    possible.drop_impossible();
    let inventory = inventory();
    possible.restore_members(&inventory, |_| true);
    let _ = possible.restore(&inventory, |_, _, _| true);
    inventory.accounts().iter().for_each(|account| account.recalled(NOW));
    let _ = metrics::of_inventory(&inventory, NOW);
    // What was restored is saved again.
    state_file.save(&State::of(&inventory)).expect("it is saved");
    let restored = state_file.load().expect("it loads").expect("it was saved");
    assert_eq!((restored.skipped(), rows(&restored)), (0, rows(&State::of(&inventory))));
});
