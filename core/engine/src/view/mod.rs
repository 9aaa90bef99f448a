//! Views: answers about a reduction as values that can be written as JSON, computed once. Tables, pages, the browser and Python only render them.

pub mod plan;
