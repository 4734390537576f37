import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

// What the gateway answers; everything else is the dashboard.
const api =
  "^/(auth|api-keys|session|sessions|events|message|media|contact|profile|status|webhook|health|ready|openapi\\.json|docs" +
  "|link/[^/]+/.+|admin/.+|dashboard/.+)";

// What the gateway puts into the page when it serves it.
const baseHref: Plugin = {
  name: "base-href",
  apply: "serve",
  transformIndexHtml: () => [{ tag: "base", attrs: { href: "/app/" }, injectTo: "head-prepend" }],
};

export default defineConfig(({ command }) => ({
  plugins: [react(), baseHref],
  // Built, every address is relative to `<base href>` or to the module that asks, so any path prefix will do.
  base: command === "build" ? "./" : "/",
  build: { target: "es2023", manifest: true, assetsInlineLimit: 0 },
  server: {
    proxy: { [api]: { target: process.env.GATEWAY ?? "http://localhost:5001" } },
  },
  test: { environment: "node", include: ["src/**/*.test.ts"] },
}));
