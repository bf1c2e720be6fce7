import dropoutFactor from "./dropout.wgsl" with { type: "text" };
import random from "./random.wgsl" with { type: "text" };

/** WGSL of `dropout_factor` and what it draws from. */
export const dropoutSource = random + dropoutFactor;

/** The constant that it asks for. */
export function dropoutConstant({ dropout }: { dropout: number }): { DROPOUT: number } {
  return { DROPOUT: dropout > 0 ? 1 : 0 };
}
