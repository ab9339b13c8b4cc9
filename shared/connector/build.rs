//! Tells the crate which revision of the code it is that makes records of rows: what a row has become
//! under one revision is not believed of another.

use std::{
    env, fs,
    hash::{DefaultHasher, Hasher},
    path::{Path, PathBuf},
};

/// Whatever has a say in what a row becomes, and in when two records are the same; seen from this folder.
const SOURCES: [&str; 6] = [
    "src",
    "../core/src",
    "../entities/src",
    "../entities/schemas",
    "../records/src/content.rs",
    "../../Cargo.lock",
];

fn main() {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let mut hasher = DefaultHasher::new();
    println!("cargo::rerun-if-changed=build.rs");
    for source in SOURCES {
        println!("cargo::rerun-if-changed={source}");
        add(&here.join(source), &mut hasher);
    }
    println!("cargo::rustc-env=MILLWRIGHT_MAPPING_REVISION={:016x}", hasher.finish());
}

/// Takes in a file, or a folder's files by their names. What is not there says nothing.
fn add(path: &Path, hasher: &mut DefaultHasher) {
    if let Ok(entries) = fs::read_dir(path) {
        let mut inside: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        inside.sort();
        inside.iter().for_each(|path| add(path, hasher));
    } else if let Ok(bytes) = fs::read(path) {
        hasher.write_usize(bytes.len());
        hasher.write(&bytes);
    }
}
