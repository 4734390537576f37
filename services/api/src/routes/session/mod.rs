pub(crate) mod list;
pub(crate) mod logout;
pub(crate) mod qr;
pub(crate) mod start;
pub(crate) mod start_page;
