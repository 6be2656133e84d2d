//! A page for each code, compiled in from `docs/codes`.
//!
//! A page begins with `# R0311: title`. A test reads the sources of all crates and fails where a code has no page or a page
//! no code.

macro_rules! pages {
    ($($code:literal)+) => {
        /// Each code with its page, in order.
        pub const PAGES: &[(&str, &str)] = &[
            $(($code, include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/codes/", $code, ".md")))),+
        ];
    };
}

pages! {
    "R0101" "R0102" "R0103" "R0104" "R0105" "R0106" "R0107" "R0108" "R0109" "R0110" "R0111"
    "R0201" "R0202" "R0203" "R0204" "R0205" "R0206" "R0207" "R0208" "R0209" "R0210" "R0211" "R0212"
    "R0213" "R0214" "R0215" "R0216" "R0217" "R0218" "R0219" "R0220" "R0221" "R0222" "R0223" "R0224"
    "R0225" "R0226" "R0227" "R0228" "R0229" "R0230" "R0231" "R0232" "R0233" "R0234" "R0235" "R0236"
    "R0237" "R0238" "R0239" "R0240" "R0241" "R0242" "R0243" "R0244" "R0245" "R0246" "R0247" "R0248" "R0249"
    "R0250" "R0251" "R0252" "R0253" "R0254"
    "R0260" "R0261" "R0262" "R0263" "R0264"
    "R0270" "R0271" "R0272" "R0273" "R0274" "R0275"
    "R0290" "R0291" "R0292" "R0293" "R0294" "R0295" "R0296" "R0297" "R0298"
    "R0301" "R0302" "R0303" "R0304" "R0305" "R0306" "R0307" "R0308" "R0309" "R0310" "R0311" "R0312"
    "R0313" "R0314" "R0315" "R0316" "R0317" "R0318" "R0319" "R0320" "R0321" "R0322" "R0323" "R0324"
    "R0325" "R0326" "R0327" "R0328" "R0329"
    "R0330" "R0331" "R0332" "R0333" "R0334" "R0335" "R0336" "R0337" "R0338" "R0339"
    "R0340" "R0341" "R0342" "R0343"
    "R0350" "R0351" "R0352"
    "R0360" "R0370" "R0371" "R0372" "R0373" "R0374" "R0375" "R0376" "R0377" "R0378" "R0379" "R0380" "R0381" "R0382" "R0383" "R0384" "R0385" "R0386" "R0387" "R0390" "R0391" "R0392" "R0393" "R0394"
    "R0401" "R0402" "R0403" "R0404" "R0405" "R0406" "R0407" "R0408" "R0409" "R0410" "R0411" "R0412" "R0413" "R0414" "R0415" "R0416"
    "R0501" "R0502" "R0503" "R0504" "R0505" "R0506" "R0507" "R0508" "R0509" "R0511" "R0512" "R0513" "R0520"
    "R0601" "R0602" "R0603" "R0604" "R0605" "R0606"
    "R0701" "R0702" "R0703" "R0704" "R0705" "R0706" "R0707" "R0708" "R0709" "R0710" "R0711" "R0712"
    "R0713" "R0714" "R0715" "R0716" "R0717" "R0718" "R0719" "R0720" "R0721" "R0722" "R0723" "R0724"
    "R0725" "R0726"
}

/// The page of a code. `r311` and `0311` are understood too.
pub fn find(asked: &str) -> Option<(&'static str, &'static str)> {
    let number = number(asked)?;
    let is_it = |(code, _): &&(&str, &str)| self::number(code) == Some(number);
    PAGES.iter().find(is_it).copied()
}

/// The code that is nearest by number, of the same room if it has any.
pub fn nearest(asked: &str) -> Option<&'static str> {
    let asked = number(asked)?;
    let far = |code: &str| {
        let number = number(code).unwrap_or(u32::MAX);
        (number / 100 != asked / 100, number.abs_diff(asked))
    };
    PAGES
        .iter()
        .map(|(code, _)| *code)
        .min_by_key(|code| far(code))
}

/// The title of a page.
pub fn title(page: &'static str) -> &'static str {
    let first = page.lines().next().unwrap_or_default();
    first.split_once(": ").map_or(first, |(_, title)| title)
}

fn number(code: &str) -> Option<u32> {
    let digits = code.trim_start_matches(['R', 'r']);
    let is_short = (1..=6).contains(&digits.len());
    let is_number = is_short && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};

    #[test]
    fn a_code_is_found_however_it_is_written() {
        for asked in ["R0311", "r0311", "0311", "311"] {
            assert_eq!(find(asked).map(|(code, _)| code), Some("R0311"), "{asked}");
        }
        assert_eq!(find("R0100"), None);
        assert_eq!(nearest("R0100"), Some("R0101"));
        assert_eq!(nearest("what"), None);
    }

    #[test]
    fn pages_are_in_order_and_begin_with_their_code() {
        assert!(PAGES.is_sorted_by(|(one, _), (next, _)| one < next));
        for (code, page) in PAGES {
            assert!(page.starts_with(&format!("# {code}: ")), "{code}");
            assert!(page.lines().count() >= 4, "{code} says hardly anything");
        }
    }

    /// Every code that stands in a source has a page, and every page belongs to a code that stands in a source.
    #[test]
    fn codes_and_pages_are_the_same() -> std::io::Result<()> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut sources = Vec::new();
        for entry in fs::read_dir(root.join("crates"))? {
            rust_files(&entry?.path().join("src"), &mut sources)?;
        }
        let mut in_sources = BTreeSet::new();
        for path in sources {
            if path.ends_with("rounds/src/explain.rs") {
                continue;
            }
            in_sources.extend(codes(&fs::read_to_string(path)?));
        }
        // What tests make up.
        in_sources.remove("R0999");
        let mut on_disk = BTreeSet::new();
        for entry in fs::read_dir(root.join("docs/codes"))? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            on_disk.extend(name.strip_suffix(".md").map(str::to_owned));
        }
        let compiled_in: BTreeSet<String> =
            PAGES.iter().map(|(code, _)| (*code).to_owned()).collect();
        let without = |all: &BTreeSet<String>, of: &BTreeSet<String>| -> Vec<String> {
            of.difference(all).cloned().collect()
        };
        assert_eq!(
            without(&compiled_in, &in_sources),
            [""; 0],
            "codes without a page"
        );
        assert_eq!(
            without(&in_sources, &compiled_in),
            [""; 0],
            "pages without a code"
        );
        assert_eq!(
            without(&compiled_in, &on_disk),
            [""; 0],
            "files that are not compiled in"
        );
        Ok(())
    }

    fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                rust_files(&path, found)?;
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
        Ok(())
    }

    /// All string literals such as "R0301".
    fn codes(source: &str) -> Vec<String> {
        let is_code = |text: &&str| {
            text.len() == 5
                && text.starts_with("R0")
                && text.bytes().skip(1).all(|byte| byte.is_ascii_digit())
        };
        source
            .split('"')
            .filter(is_code)
            .map(str::to_owned)
            .collect()
    }
}
