//! `rounds keys`.

use crate::support::Folder;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;

#[test]
fn a_key_is_made_for_its_owner_alone_and_registered_by_its_public_half() {
    let folder = Folder::new();
    let made = folder.rounds(&[
        "keys",
        "generate",
        "--algorithm",
        "es384",
        "--out",
        "one.pem",
    ]);
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let path = folder.path().join("one.pem");
    let mode = fs::metadata(&path).expect("the file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let pem = fs::read_to_string(&path).expect("text");
    assert!(!made.stderr.contains(pem.lines().nth(1).expect("a line")) && made.stdout.is_empty());
    // The other goes to stdout.
    let other = folder.rounds(&["keys", "generate", "--algorithm", "RS384"]);
    assert_eq!(other.code, Some(0), "{}", other.stderr);
    folder.write("two.pem", &other.stdout);

    let set = folder.rounds(&["keys", "jwks", "one.pem", "two.pem", "one.pem"]);
    let set: Value = serde_json::from_str(&set.stdout).expect("a JWK Set");
    let keys = set["keys"].as_array().expect("keys");
    assert_eq!(keys.len(), 2, "each once");
    for (key, kind, algorithm, said) in [
        (&keys[0], "EC", "ES384", &made.stderr),
        (&keys[1], "RSA", "RS384", &other.stderr),
    ] {
        assert_eq!(
            (&key["kty"], &key["alg"]),
            (&kind.into(), &algorithm.into())
        );
        assert!(key.get("d").is_none());
        let kid = key["kid"].as_str().expect("a name");
        assert!(said.contains(kid), "{said}");
    }
}

#[test]
fn no_key_is_overwritten_and_what_is_none_is_told() {
    let folder = Folder::new();
    folder.write("key.pem", "hunter2");
    let refused = folder.rounds(&[
        "keys",
        "generate",
        "--algorithm",
        "ES384",
        "--out",
        "key.pem",
    ]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("R0338"), "{}", refused.stderr);
    let kept = fs::read_to_string(folder.path().join("key.pem")).expect("the file");
    assert_eq!(kept, "hunter2");
    for (file, code) in [("key.pem", "R0333"), ("absent.pem", "R0339")] {
        let said = folder.rounds(&["keys", "jwks", file]);
        assert_eq!(said.code, Some(65));
        assert!(
            said.stderr.contains(code) && !said.stderr.contains("hunter2"),
            "{}",
            said.stderr
        );
    }
}
