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
