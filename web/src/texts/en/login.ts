export const login = {
  title: "Log in",
  username: "User name",
  password: "Password",
  submit: "Log in",
  wrong: "User name or password is wrong.",
  missing: "Both are needed.",
  again: {
    title: "You are logged out",
    text: "Log in again to go on. Nothing that you typed is lost.",
    other: "Log in as somebody else",
  },
  basic:
    "This browser sends your name and password by itself, so you are logged in again at once. Close the browser to log out.",
};
