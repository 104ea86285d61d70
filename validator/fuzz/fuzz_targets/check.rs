//! Any bytes, as every kind of document and under every profile: no panic, and every position lies
//! in the text.

#![no_main]

use libfuzzer_sys::fuzz_target;
use oci_validator::{Document, DocumentKind, Host, Options, Profile, check};

fuzz_target!(|bytes: &[u8]| {
    let document = Document::parse(bytes.to_vec());
    for kind in DocumentKind::ALL.map(Some).into_iter().chain([None]) {
        let options = Options {
            kind,
            profiles: Profile::ALL.into(),
            host: Some(Host::example()),
            features: Some(Document::parse(bytes.to_vec())),
            ..Options::default()
        };
        for finding in check(&document, &options) {
            assert!(document.text().get(finding.span.clone()).is_some(), "{finding:?}");
        }
    }
});
