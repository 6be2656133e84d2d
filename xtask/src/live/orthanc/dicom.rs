//! The smallest DICOM files that an archive takes: no pixels, a dozen elements (PS3.10, 7.1; PS3.5, 7.1.2).

/// Secondary Capture, which asks for the least (PS3.4, B.5).
const SECONDARY_CAPTURE: &str = "1.2.840.10008.5.1.4.1.1.7";
/// Values with their representation, little endian (PS3.5, A.2).
const EXPLICIT_LITTLE_ENDIAN: &str = "1.2.840.10008.1.2.1";
/// Made of a UUID, so that it is ours (PS3.5, B.2).
const ROOT: &str = "2.25.329800735698586629295641978511506172918";

/// Where an instance belongs: numbers of a patient, one of its studies and one of that study's instances.
#[derive(Debug, Clone, Copy)]
pub(super) struct Instance {
    pub(super) patient: u32,
    pub(super) study: u32,
    pub(super) number: u32,
}

impl Instance {
    /// The study's identifier (0020,000D).
    pub(super) fn study_uid(self) -> String {
        format!("{ROOT}.{}.{}", self.patient, self.study)
    }

    /// The file.
    pub(super) fn file(self) -> Vec<u8> {
        let own = format!("{}.1.{}", self.study_uid(), self.number);
        let mut meta = Vec::new();
        bytes(&mut meta, (0x0002, 0x0001), &[0, 1]);
        text(&mut meta, (0x0002, 0x0002), *b"UI", SECONDARY_CAPTURE);
        text(&mut meta, (0x0002, 0x0003), *b"UI", &own);
        text(&mut meta, (0x0002, 0x0010), *b"UI", EXPLICIT_LITTLE_ENDIAN);
        text(&mut meta, (0x0002, 0x0012), *b"UI", ROOT);
        let mut file = vec![0; 128];
        file.extend_from_slice(b"DICM");
        let length = u32::try_from(meta.len()).unwrap_or(u32::MAX);
        element(&mut file, (0x0002, 0x0000), *b"UL", &length.to_le_bytes());
        file.extend(meta);
        let patient = format!("P{:04}", self.patient);
        for (tag, kind, value) in [
            ((0x0008, 0x0016), *b"UI", SECONDARY_CAPTURE.to_owned()),
            ((0x0008, 0x0018), *b"UI", own.clone()),
            ((0x0008, 0x0020), *b"DA", "20261123".to_owned()),
            ((0x0008, 0x0060), *b"CS", "OT".to_owned()),
            ((0x0010, 0x0010), *b"PN", format!("Test^{patient}")),
            ((0x0010, 0x0020), *b"LO", patient.clone()),
            ((0x0020, 0x000D), *b"UI", self.study_uid()),
            ((0x0020, 0x000E), *b"UI", format!("{}.1", self.study_uid())),
            ((0x0020, 0x0010), *b"SH", self.study.to_string()),
            ((0x0020, 0x0013), *b"IS", self.number.to_string()),
        ] {
            text(&mut file, tag, kind, &value);
        }
        file
    }
}

/// Texts have an even length; identifiers are filled with a zero, all else with a blank (PS3.5, 6.2).
fn text(out: &mut Vec<u8>, tag: (u16, u16), kind: [u8; 2], value: &str) {
    let mut value = value.as_bytes().to_vec();
    if value.len() % 2 == 1 {
        value.push(if kind == *b"UI" { 0 } else { b' ' });
    }
    element(out, tag, kind, &value);
}

fn element(out: &mut Vec<u8>, tag: (u16, u16), kind: [u8; 2], value: &[u8]) {
    head(out, tag, kind);
    let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
    out.extend(length.to_le_bytes());
    out.extend_from_slice(value);
}

/// An element of the representation OB, whose length takes four bytes.
fn bytes(out: &mut Vec<u8>, tag: (u16, u16), value: &[u8]) {
    head(out, tag, *b"OB");
    out.extend([0, 0]);
    let length = u32::try_from(value.len()).unwrap_or(u32::MAX);
    out.extend(length.to_le_bytes());
    out.extend_from_slice(value);
}

fn head(out: &mut Vec<u8>, (group, element): (u16, u16), kind: [u8; 2]) {
    out.extend(group.to_le_bytes());
    out.extend(element.to_le_bytes());
    out.extend(kind);
}

#[cfg(test)]
mod tests {
    use super::Instance;

    #[test]
    fn a_file_has_its_preamble_and_even_values() {
        let instance = Instance {
            patient: 7,
            study: 1,
            number: 12,
        };
        let file = instance.file();
        assert_eq!(&file[128..132], b"DICM");
        assert_eq!(&file[132..140], &[2, 0, 0, 0, b'U', b'L', 4, 0]);
        assert_eq!(file.len() % 2, 0);
        assert!(instance.study_uid().len() < 64, "PS3.5, 9.1");
    }
}
