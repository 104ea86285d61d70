//! The conformance harness for OCI container runtimes, as a library: the program `oci-conformance`
//! and the test target `conformance` are two front-ends of it.
//!
//! A run goes: [`cli`] reads the command line, [`runner`] surveys each subject and runs the
//! selected [`cases`], each under a [`supervisor`] as a [`trial`]; [`expectations`] decide what was
//! to be expected; [`report`] writes it down.

pub mod bundle;
mod calendar;
pub mod case;
pub mod cases;
pub mod catalogue_views;
pub mod cli;
pub mod compare;
pub mod doctor;
pub mod expectations;
pub mod explore;
pub mod host;
pub mod job;
pub mod merge;
pub mod processes;
pub mod prove;
pub mod report;
pub mod repro;
pub mod results;
pub mod runner;
pub mod subject;
pub mod supervisor;
mod sys;
pub mod trial;
pub mod workdir;
