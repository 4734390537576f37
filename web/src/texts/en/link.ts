/** The page behind a shared link, for somebody without an account. */
export const link = {
  title: (session: string) => `Link “${session}”`,
  about: "You were asked to link a WhatsApp number to this gateway.",
  until: "This link works until",
  expired: {
    title: "This link does not work any more",
    text: "It has expired, or it was taken back. Ask whoever sent it for a new one.",
  },
  done: "You can close this page.",
  ask: "Ask whoever sent you this link for a new one, or try again.",
  again: "Try again",
};
