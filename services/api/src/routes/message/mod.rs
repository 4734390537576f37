pub(crate) mod get;
pub(crate) mod send_text;
pub(crate) mod send_text_query;
