/** The states of a session: a word, and what to do when a person is needed. */
export const states = {
  words: {
    stopped: "Stopped",
    pairing: "Waits for a scan",
    connecting: "Connecting",
    connected: "Connected",
    reconnecting: "Reconnecting",
    logged_out: "Logged out",
    replaced: "Taken over",
    banned: "Refused by WhatsApp",
    outdated: "Version too old",
    needs_passkey: "Passkey needed",
  },
  advice: {
    pairing: "Scan the code with the phone.",
    logged_out: "The link was removed on the phone. Link the number again.",
    replaced: "Another program uses the same link. Stop that one, then restart this session.",
    banned: "WhatsApp does not let this number in. Open WhatsApp on the phone to see why.",
    outdated: "WhatsApp no longer accepts this version of the gateway. Update it.",
    needs_passkey: "Open WhatsApp on the phone and confirm with the passkey.",
  },
  adviceOtherwise: "Look at the phone: WhatsApp says there what it waits for.",
};
