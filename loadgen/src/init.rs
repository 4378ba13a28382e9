//! Runs a kube-burner configuration as kube-burner does.

pub mod config;
