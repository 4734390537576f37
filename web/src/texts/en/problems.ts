/** What went wrong, in words. Codes that are not here show the API's own sentence. */
export const problems = {
  title: "That did not work",
  unreachable: "The gateway does not answer. Check that it runs and that you are online.",
  timeout: "The gateway took too long to answer.",
  gatewayFailed: "The gateway failed; its log says why.",
  refused: (status: number) => `The gateway refused (${status}).`,
  tooManyRequests: (seconds: number) => `Too many attempts. Wait ${seconds} s, then try again.`,
  byCode: {
    unauthorized: "You were logged out meanwhile. Log in, then do it again.",
    invalid_credentials: "Check both, and whether the Caps Lock key is on.",
    cross_site: "The browser sent this from another site. Open the dashboard at its own address.",
    changed_meanwhile: "Somebody else changed this meanwhile. Look at what it is now, then save again.",
  },
};
