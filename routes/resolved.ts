import { z } from "@hono/zod-openapi";

/**
 * A schema of answers made from one of requests: every field is there, so that none has a default, and more may come
 * with later versions. Descriptions stay.
 */
export function resolved<S extends z.ZodType>(schema: S): z.ZodType<z.output<S>> {
  return withoutDefaults(schema) as z.ZodType<z.output<S>>;
}

function withoutDefaults(schema: z.core.$ZodType): z.ZodType {
  const { description } = schema as z.ZodType;
  const bare = bareOf(schema);
  return description === undefined ? bare : bare.describe(description);
}

function bareOf(schema: z.core.$ZodType): z.ZodType {
  if (
    schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault || schema instanceof z.ZodOptional ||
    schema instanceof z.ZodNonOptional
  ) return withoutDefaults(schema.unwrap());
  if (schema instanceof z.ZodNullable) return withoutDefaults(schema.unwrap()).nullable();
  if (!(schema instanceof z.ZodObject)) return schema as z.ZodType;
  const fields = Object.entries<z.core.$ZodType>(schema.shape);
  return z.object(Object.fromEntries(fields.map(([name, field]) => [name, withoutDefaults(field)])));
}
