import { type CSSVariablesResolver, createTheme, type MantineColorsTuple } from "@mantine/core";
import { t } from "../texts";

const green: MantineColorsTuple = [
  "#e8f7f0",
  "#cdeedd",
  "#9fdcc0",
  "#6dc9a1",
  "#3ecf8e",
  "#22a870",
  "#12925a",
  "#0b7a4b",
  "#0a6840",
  "#075433",
];

const dark: MantineColorsTuple = [
  "#e7ece9",
  "#c3ccc7",
  "#9aa8a1",
  "#66726c",
  "#404845",
  "#323937",
  "#272d2b",
  "#1c2120",
  "#151918",
  "#0f1211",
];

export const theme = createTheme({
  primaryColor: "green",
  primaryShade: { light: 7, dark: 7 },
  colors: { green, dark },
  fontFamily: "system-ui, sans-serif",
  headings: { fontFamily: "system-ui, sans-serif", fontWeight: "650" },
  defaultRadius: "md",
  cursorType: "pointer",
  focusRing: "auto",
  respectReducedMotion: true,
  components: {
    // What it puts into a menu to hold the focus is nothing that may be in a menu.
    Menu: { defaultProps: { withInitialFocusPlaceholder: false } },
    Modal: { defaultProps: { centered: true, closeButtonProps: { "aria-label": t.common.close } } },
  },
});

// Quiet text that still has the contrast which WCAG AA asks for.
export const variables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    "--mantine-color-dimmed": "#55635c",
    "--mantine-color-placeholder": "#66736c",
    "--mantine-color-error": "#b42525",
    "--mantine-color-anchor": "#0b7a4b",
  },
  dark: {
    "--mantine-color-dimmed": "#9aa8a1",
    "--mantine-color-placeholder": "#8b9992",
    "--mantine-color-error": "#ff8a82",
    "--mantine-color-anchor": "#3ecf8e",
  },
});
