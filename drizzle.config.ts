import { defineConfig } from "drizzle-kit";

/** `npx drizzle-kit generate` writes the SQL of a changed schema into migrations/; the server applies it at start. */
export default defineConfig({ dialect: "sqlite", schema: "./src/db/schema.ts", out: "./migrations" });
