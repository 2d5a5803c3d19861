// SPDX-License-Identifier: MIT
// The plainest transition: A fades into B.

vec4 transition(vec2 pos) {
	ivec2 at = ivec2(pos);
	return mix(from_pixel(at), to_pixel(at), smoothstep(0.0, 1.0, u_progress));
}
