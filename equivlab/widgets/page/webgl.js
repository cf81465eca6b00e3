// @ts-check
// What the pages share that draw by WebGL.

/** A program of two shaders.
 * @param {WebGL2RenderingContext} gl
 * @param {string} vertex
 * @param {string} fragment
 */
export function linked(gl, vertex, fragment) {
  const made = gl.createProgram();
  const parts = { [gl.VERTEX_SHADER]: vertex, [gl.FRAGMENT_SHADER]: fragment };
  for (const [kind, text] of Object.entries(parts)) {
    const shader = gl.createShader(Number(kind));
    if (!shader) continue; // the card is lost
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    gl.attachShader(made, shader);
  }
  gl.linkProgram(made);
  if (!gl.getProgramParameter(made, gl.LINK_STATUS) && !gl.isContextLost()) {
    throw new Error(`WebGL: ${gl.getProgramInfoLog(made)}`);
  }
  return made;
}

/** Whether the browser draws WebGL without a graphics card: then each pixel takes from what answers
 * need to get through.
 * @param {WebGL2RenderingContext | null} gl
 */
export function drawnBySoftware(gl) {
  if (!gl) return true;
  const known = gl.getExtension("WEBGL_debug_renderer_info");
  const name = known ? gl.getParameter(known.UNMASKED_RENDERER_WEBGL) : "";
  return /swiftshader|llvmpipe|software|basic render/i.test(name);
}

/** The same of this browser. */
export function isSlow() {
  const gl = document.createElement("canvas").getContext("webgl2");
  const slow = drawnBySoftware(gl);
  gl?.getExtension("WEBGL_lose_context")?.loseContext();
  return slow;
}
