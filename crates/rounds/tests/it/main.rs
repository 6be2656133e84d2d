//! The program as a person or a service manager meets it: started, given words and signals, and looked at from outside.

mod command_line;
mod connectors;
mod demo;
mod hostile;
mod keys;
mod poll;
mod probe;
mod reliability;
mod run;
mod service;
mod storage;
mod support;
mod trouble;
