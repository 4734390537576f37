import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// What the gateway answers; everything else is the dashboard.
const api =
  "^/(auth|api-keys|session|sessions|events|message|media|contact|profile|status|webhook|health|ready|openapi\\.json|docs" +
  "|link/[^/]+/.+|admin/.+|dashboard/.+)";

export default defineConfig(({ command }) => ({
  plugins: [react()],
  // Built, every address is relative to `<base href>` or to the module that asks, so any path prefix will do.
  base: command === "build" ? "./" : "/",
  html: { cspNonce: "__CSP_NONCE__" },
  build: { target: "es2023", manifest: true, assetsInlineLimit: 0 },
  server: {
    proxy: { [api]: { target: process.env.GATEWAY ?? "http://localhost:5001" } },
  },
  test: { environment: "node", include: ["src/**/*.test.ts"] },
}));
