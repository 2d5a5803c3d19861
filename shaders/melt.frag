// SPDX-License-Identifier: MIT
// A softens like wax: it sags and runs down in streams, the faster the lower, and where a stream
// has thinned out B has set behind it. Light contents shine through first, so the edge of a
// stream glows. No sines and few texture reads: most of what runs this is a CPU.

vec4 transition(vec2 pos) {
	float p = u_progress, y = pos.y / u_size.y;

	// Streams are columns, bent a little to one side and back.
	float bend = 2.0 * y - 1.0;
	float x = pos.x + (72.0 * u_random.w - 36.0) * bend * (abs(bend) - 1.0);
	float stream = 0.26 * wave(x * (1.0 / 163.0) + u_random.x) +
		0.16 * wave(x * (1.0 / 71.0) + u_random.y);
	float thread = wave(x * (1.0 / 25.0) + u_random.z);

	// B sets from the top down, in each place within a third of the time.
	float set = clamp((p - 0.175 - 0.33 * y + 0.33 * stream - 0.033 * thread) * 2.94, 0.0, 1.0);
	set *= set * (3.0 - 2.0 * set);

	vec4 color = vec4(0.0);
	if (set < 1.0) {
		float fall = u_size.y * p * p * (0.1 + 0.45 * y) * (0.75 + 0.5 * stream);
		float row = max(pos.y - 0.5 - fall, 0.0), above = floor(row) + 0.5;
		color = mix(from_pixel(vec2(pos.x, above)), from_pixel(vec2(pos.x, above + 1.0)),
			row + 0.5 - above);
	}
	if (set > 0.0) {
		vec4 goal = to_pixel(pos);
		color = mix(mix(color, goal, set), max(color, goal), 3.0 * set * (1.0 - set));
	}
	return color;
}
