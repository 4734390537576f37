import "./ui/mantine-styles";
import "@mantine/notifications/styles.css";
import "./ui/global.css";
import { MantineProvider } from "@mantine/core";
import { Notifications } from "@mantine/notifications";
import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { setNonce } from "get-nonce";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { createQueryClient } from "./api/queries";
import { styleNonce } from "./base";
import { router } from "./router";
import { language } from "./texts";
import { theme, variables } from "./ui/theme";

document.documentElement.lang = language;
// For the style element that keeps the page still behind a dialog.
if (styleNonce) setNonce(styleNonce);

const queries = createQueryClient();

// The other pages, while nothing else is to be done: they open at once, and also while the gateway is away.
const whenIdle = window.requestIdleCallback ?? ((task: () => void) => setTimeout(task, 2_000));
window.addEventListener("load", () => {
  whenIdle(() => {
    for (const route of Object.values(router.routesById)) void router.loadRouteChunk(route)?.catch(() => {});
  });
});

const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <MantineProvider
        theme={theme}
        cssVariablesResolver={variables}
        defaultColorScheme="auto"
        getStyleNonce={() => styleNonce ?? ""}
      >
        <Notifications position="top-center" />
        <QueryClientProvider client={queries}>
          <RouterProvider router={router} />
        </QueryClientProvider>
      </MantineProvider>
    </StrictMode>,
  );
}
