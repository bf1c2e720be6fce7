// @ts-check

/**
 * Chromium takes its language from the environment, and in a POSIX locale calls it `en-US@posix`: no BCP 47 tag, so `Intl`
 * throws, in uPlot as it is loaded. The page is in English whatever the browser speaks.
 */
function hasLocale() {
  try {
    return Intl.getCanonicalLocales(navigator.language).length > 0;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

if (!hasLocale()) Object.defineProperty(navigator, "language", { value: "en", configurable: true });
