/** The service answers /assets/uplot.js with uPlot's own ES module. */
export { default } from "uplot";
