//! The program as a person or a service manager meets it: started, given words and signals, and looked at from outside.

mod command_line;
mod connectors;
mod demo;
mod destinations;
mod edits;
mod first_contact;
mod hostile;
mod keys;
mod map;
mod map_files;
mod map_try;
mod maps_page;
mod mistakes;
mod models;
mod poll;
mod probe;
mod pushes;
mod reliability;
mod run;
mod service;
mod status;
mod storage;
mod support;
mod trouble;
mod why;
