//! How the program is linked: at a fixed address, and with an entry point of its own.
//!
//! Every operation is a process of a few milliseconds. A program that is linked to run anywhere
//! relocates its tables at each start, and touches a hundred pages for that. The stack, the heap
//! and whatever is mapped are still at random addresses.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let set = |name: &str| env::var(name).unwrap_or_default();
    if set("CARGO_CFG_TARGET_ENV") != "gnu" || set("CARGO_CFG_TARGET_OS") != "linux" {
        return;
    }
    // The driver takes the last of its options about the kind of program, and rustc's come before.
    if set("CARGO_CFG_TARGET_FEATURE")
        .split(',')
        .any(|feature| feature == "crt-static")
    {
        println!("cargo::rustc-link-arg-bin=refrun=-static");
        println!("cargo::rustc-link-arg-benches=-static");
    }
    println!("cargo::rustc-link-arg-bin=refrun=-no-pie");
    println!("cargo::rustc-link-arg-benches=-no-pie");
    // What runs before the C library cannot call memcpy, which code that is not optimised does.
    if set("CARGO_CFG_TARGET_ARCH") == "x86_64" && set("OPT_LEVEL") != "0" {
        println!("cargo::rustc-link-arg-bin=refrun=-Wl,--entry=refrun_entry");
        println!("cargo::rustc-cfg=own_entry");
    }
    println!("cargo::rustc-check-cfg=cfg(own_entry)");
}
