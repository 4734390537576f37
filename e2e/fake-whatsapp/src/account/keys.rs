//! The public keys of a device, as the server holds them for others to fetch.

use std::collections::VecDeque;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Node, NodeRef};

/// The signed prekey of a device.
#[derive(Debug, Clone, Default)]
pub(crate) struct SignedKey {
    pub(crate) id: u32,
    pub(crate) public: Vec<u8>,
    pub(crate) signature: Vec<u8>,
}

/// What others need to start a Signal session with a device.
#[derive(Debug, Clone, Default)]
pub(crate) struct PublicKeys {
    pub(crate) registration_id: u32,
    pub(crate) identity: Vec<u8>,
    pub(crate) signed: SignedKey,
    pub(crate) one_time: VecDeque<(u32, [u8; 32])>,
}

/// The type byte of a Curve25519 key.
const CURVE: u8 = 5;

impl PublicKeys {
    /// Takes over an upload: the pool grows, the rest is replaced.
    pub(crate) fn upload(&mut self, iq: &NodeRef<'_>) {
        if let Some(registration) = iq.get_optional_child("registration").and_then(|n| n.content_bytes()) {
            self.registration_id = big_endian(registration);
        }
        if let Some(identity) = iq.get_optional_child("identity").and_then(|n| n.content_bytes()) {
            self.identity = identity.to_vec();
        }
        if let Some(signed) = iq.get_optional_child("skey").and_then(signed_key) {
            self.signed = signed;
        }
        for key in iq.get_optional_child("list").and_then(|n| n.children()).unwrap_or_default() {
            if let Some(key) = one_time_key(key)
                && !self.one_time.iter().any(|(id, _)| *id == key.0)
            {
                self.one_time.push_back(key);
            }
        }
    }

    /// The children of a bundle; takes one prekey out of the pool.
    pub(crate) fn take_bundle(&mut self) -> Vec<Node> {
        let mut nodes = vec![
            NodeBuilder::new("registration").bytes(self.registration_id.to_be_bytes().to_vec()).build(),
            NodeBuilder::new("type").bytes(vec![CURVE]).build(),
            NodeBuilder::new("identity").bytes(self.identity.clone()).build(),
        ];
        if let Some((id, public)) = self.one_time.pop_front() {
            nodes.push(
                NodeBuilder::new("key")
                    .children([key_id(id), NodeBuilder::new("value").bytes(public.to_vec()).build()])
                    .build(),
            );
        }
        nodes.push(self.signed_node());
        nodes
    }

    /// What `<digest/>` is answered with: everything but the private halves, and a hash over it.
    pub(crate) fn digest(&self) -> Node {
        let publics: Vec<&[u8]> = self.one_time.iter().map(|(_, public)| public.as_slice()).collect();
        let hash = wacore::prekeys::compute_key_bundle_digest(
            &self.identity,
            &self.signed.public,
            &self.signed.signature,
            &publics,
        );
        NodeBuilder::new("digest")
            .children([
                NodeBuilder::new("registration").bytes(self.registration_id.to_be_bytes().to_vec()).build(),
                NodeBuilder::new("type").bytes(vec![CURVE]).build(),
                NodeBuilder::new("identity").bytes(self.identity.clone()).build(),
                self.signed_node(),
                NodeBuilder::new("list").children(self.one_time.iter().map(|(id, _)| key_id(*id))).build(),
                NodeBuilder::new("hash").bytes(hash).build(),
            ])
            .build()
    }

    fn signed_node(&self) -> Node {
        NodeBuilder::new("skey")
            .children([
                key_id(self.signed.id),
                NodeBuilder::new("value").bytes(self.signed.public.clone()).build(),
                NodeBuilder::new("signature").bytes(self.signed.signature.clone()).build(),
            ])
            .build()
    }
}

/// Reads an `<skey>`.
pub(crate) fn signed_key(node: &NodeRef<'_>) -> Option<SignedKey> {
    Some(SignedKey {
        id: big_endian(node.get_optional_child("id")?.content_bytes()?),
        public: node.get_optional_child("value")?.content_bytes()?.to_vec(),
        signature: node.get_optional_child("signature")?.content_bytes()?.to_vec(),
    })
}

fn one_time_key(node: &NodeRef<'_>) -> Option<(u32, [u8; 32])> {
    let id = big_endian(node.get_optional_child("id")?.content_bytes()?);
    Some((id, node.get_optional_child("value")?.content_bytes()?.try_into().ok()?))
}

fn key_id(id: u32) -> Node {
    let [_, id @ ..] = id.to_be_bytes();
    NodeBuilder::new("id").bytes(id.to_vec()).build()
}

/// A number of up to four bytes, most significant first.
pub(crate) fn big_endian(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |sum, byte| (sum << 8) | u32::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_takes_one_key_out_of_the_pool_and_works_without() {
        let mut keys = PublicKeys { one_time: [(1, [1; 32])].into(), ..PublicKeys::default() };
        assert!(keys.take_bundle().iter().any(|node| node.tag == "key"));
        assert!(!keys.take_bundle().iter().any(|node| node.tag == "key"));
    }

    #[test]
    fn ids_are_three_bytes() {
        assert_eq!(big_endian(&[1, 2, 3]), 0x01_02_03);
        assert_eq!(key_id(0x01_02_03).as_node_ref().content_bytes(), Some(&[1, 2, 3][..]));
    }
}
