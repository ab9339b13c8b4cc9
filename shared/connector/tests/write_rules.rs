//! Write rules as data, on a made-up system that needs every kind of them.

mod support;

use millwright_connector::{Catalog, Manifest, check_examples};

const WORKS: &str = include_str!("fixtures/works.yaml");

fn works() -> Manifest {
    Manifest::read(WORKS).unwrap()
}

#[test]
fn every_rule_has_an_example_that_it_accepts_and_one_that_it_refuses() {
    assert_eq!(check_examples(&works()), [""; 0]);
}

#[test]
fn catalog() {
    Catalog::of([WORKS]).unwrap();
}
