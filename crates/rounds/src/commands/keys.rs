//! `rounds keys`: private keys for SMART Backend Services, and their public halves.

use crate::cli::{AlgorithmArgument, KeysCommand};
use crate::output::Terminal;
use crate::problem::{KEY_NOT_WRITTEN, KEY_UNREADABLE};
use crate::{Ended, Problem};
use rounds_http::{
    SigningAlgorithm, SigningKey, codes, generate_webhook_key, generate_webhook_secret,
    public_key_set,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// No key is longer.
const MAX_KEY_BYTES: u64 = 64 * 1024;

/// A private key and its name.
pub struct Generated {
    /// PKCS #8 in PEM.
    pub pem: SecretString,
    /// The name under which it signs.
    pub key_id: String,
}

/// Makes a private key.
pub fn generate(algorithm: SigningAlgorithm) -> Result<Generated, Problem> {
    let made = SigningKey::generate(algorithm)
        .and_then(|pem| SigningKey::parse(pem.expose_secret()).map(|key| (pem, key.key_id())));
    let (pem, key_id) = made.map_err(|error| {
        Problem::new(
            codes::BAD_KEY,
            Ended::Failed,
            format!("making a key: {}", error.reason),
            error.hint,
        )
    })?;
    Ok(Generated { pem, key_id })
}

/// The public halves of these private keys, as a JWK Set.
pub fn jwks(files: &[PathBuf]) -> Result<Value, Problem> {
    let keys: Result<Vec<SigningKey>, Problem> = files.iter().map(|path| read(path)).collect();
    Ok(public_key_set(&keys?))
}

/// Does it.
pub fn perform(command: &KeysCommand, terminal: &mut Terminal) -> Result<Ended, Problem> {
    match command {
        KeysCommand::Generate { algorithm, out } => {
            let generated = generate(match algorithm {
                AlgorithmArgument::Es384 => SigningAlgorithm::Es384,
                AlgorithmArgument::Rs384 => SigningAlgorithm::Rs384,
            })?;
            match out {
                Some(path) => {
                    write(path, &generated.pem)?;
                    terminal.say(&format!("private key  {}", path.display()));
                }
                None => terminal.give_text(generated.pem.expose_secret())?,
            }
            terminal.say(&format!("kid          {}", generated.key_id));
            let file = out.as_deref().unwrap_or(Path::new("FILE"));
            terminal.say(&format!(
                "Register the public key: rounds keys jwks {}",
                file.display()
            ));
        }
        KeysCommand::Webhook { asymmetric, out } => webhook(*asymmetric, out.as_deref(), terminal)?,
        KeysCommand::Jwks { files } => {
            let set = jwks(files)?;
            terminal.give_text(&format!("{set:#}\n"))?;
        }
    }
    Ok(Ended::Fine)
}

fn webhook(asymmetric: bool, out: Option<&Path>, terminal: &mut Terminal) -> Result<(), Problem> {
    let no_randomness = |error| Problem::cannot_start("making a secret", &error);
    let (secret, public) = if asymmetric {
        let (private, public) = generate_webhook_key().map_err(no_randomness)?;
        (private, Some(public))
    } else {
        (generate_webhook_secret().map_err(no_randomness)?, None)
    };
    let line = SecretString::from(format!("{}\n", secret.expose_secret()));
    match out {
        Some(path) => {
            write(path, &line)?;
            terminal.say(&format!("secret       {}", path.display()));
        }
        None => terminal.give_text(line.expose_secret())?,
    }
    match public {
        Some(public) => terminal.say(&format!("public key   {public}")),
        None => terminal.say("The receiver needs the same secret."),
    }
    Ok(())
}

/// Writes a file that only its owner reads, and that was not there before.
fn write(path: &Path, pem: &SecretString) -> Result<(), Problem> {
    let failed = |error: &io::Error| {
        let is_there = error.kind() == io::ErrorKind::AlreadyExists;
        Problem::new(
            KEY_NOT_WRITTEN,
            Ended::Failed,
            format!("writing the private key {}: {error}", path.display()),
            if is_there {
                "keys are never overwritten: name another file, or move this one away"
            } else {
                "check that the directory is there and that this user may write there"
            },
        )
    };
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(|error| failed(&error))?;
    file.write_all(pem.expose_secret().as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(|error| failed(&error))
}

fn read(path: &Path) -> Result<SigningKey, Problem> {
    let unreadable = |error: &io::Error| {
        Problem::new(
            KEY_UNREADABLE,
            Ended::BadData,
            format!("reading the private key {}: {error}", path.display()),
            "check that the file is there, is text and may be read by this user",
        )
    };
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(MAX_KEY_BYTES).read_to_string(&mut text))
        .map_err(|error| unreadable(&error))?;
    SigningKey::parse(&text).map_err(|error| {
        Problem::new(
            codes::BAD_KEY,
            Ended::BadData,
            format!("the private key {}: {}", path.display(), error.reason),
            error.hint,
        )
    })
}
