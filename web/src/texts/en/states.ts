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
    logged_out: "Unlinked on the phone. Link it again.",
    replaced: "In use by another program. Stop that one, then restart.",
    banned: "Refused. Open WhatsApp on the phone to see why.",
    outdated: "Update the gateway: this version is too old.",
    needs_passkey: "Confirm with the passkey on the phone.",
  },
  adviceOtherwise: "Look at the phone: WhatsApp says there what it waits for.",
};
