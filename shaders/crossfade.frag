// SPDX-License-Identifier: MIT
// The plainest transition: A fades into B.

vec4 transition(vec2 pos) {
	return mix(from_pixel(pos), to_pixel(pos), smoothstep(0.0, 1.0, u_progress));
}
