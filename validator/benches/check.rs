//! How long reading and judging one document takes, for documents as engines write them.
//!
//! `cargo bench -p oci-validator --bench check`

use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use oci_validator::{Document, DocumentKind, Options, check};

fn documents(criterion: &mut Criterion) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/documents/engines");
    for name in [
        "runc-spec",
        "crun-spec",
        "docker-default",
        "podman-default",
        "cri-container",
    ] {
        let bytes = std::fs::read(folder.join(format!("{name}.json"))).unwrap();
        let options = Options {
            kind: Some(DocumentKind::Config),
            ..Options::default()
        };
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function("parse", |bencher| {
            bencher.iter(|| Document::parse(black_box(bytes.clone())));
        });
        let document = Document::parse(bytes.clone());
        group.bench_function("check", |bencher| {
            bencher.iter(|| check(black_box(&document), &options));
        });
        group.bench_function("parse and check", |bencher| {
            bencher.iter(|| check(&Document::parse(black_box(bytes.clone())), &options));
        });
        group.finish();
    }
}

criterion_group!(benches, documents);
criterion_main!(benches);
