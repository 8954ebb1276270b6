// A perspective view of a picture of the sphere, stored as three planes of YCbCr in one of five
// projections; over it the energy of a sound field and a grid.
// Axes: x front, y left, z up. Places in the picture are in luma pixels, (0, 0) the outer corner.
//
// In front of this the program puts the version and what is drawn, since a software renderer works
// through every branch of a shader whether it is taken or not:
// PROJECTION, one of the numbers below; EQUI_ANGULAR, SAMPLES (per pixel, across and down), ENERGY
// and GRID.

#define NOTHING 0
#define EQUIRECTANGULAR 1
#define CUBE 2
#define DUAL_FISHEYE 3
#define FLAT 4

in vec2 place;
out vec4 shown;

const float PI = 3.14159265358979;

uniform sampler2D luma_plane, cb_plane, cr_plane;
uniform vec2 size;           // of the luma plane
uniform vec2 chroma_size;
uniform mat4 to_rgb;         // times (Y, Cb, Cr, 1)

uniform mat3 turn;           // from the viewer's axes to the world's
uniform vec2 reach;          // tangents of half the fields of view
uniform vec2 pixel;          // of the view, in units of `place`

uniform mat3 faces[6];       // a direction times these: depth, right, down
uniform vec2 radii;          // of a fisheye's circle, pixels
uniform float half_lens;     // radians from the axis to the rim
uniform float overlap;       // radians over which two lenses are mixed; 0 or less: none
uniform vec2 flat_step;      // between pixels, in the plane at distance 1
uniform mat3 to_camera;      // from the world's axes to those of a flat picture's camera

uniform mat4 energy;         // of the field, over its maximum
uniform float energy_strength;
uniform sampler2D ramp;      // colour and opacity by energy

uniform vec4 grid_colour;
uniform vec3 background;

vec3 colour_at(vec2 p, vec2 low, vec2 high) {
    // Interpolation stays within low..high: what lies beyond belongs to another part of the sphere.
    // A chroma sample lies level with every other luma column, and between two rows.
    vec2 c = p * 0.5 + vec2(0.25, 0.0);
    p = clamp(p, low + 0.5, high - 0.5) / size;
    c = clamp(c, low * 0.5 + 0.5, high * 0.5 - 0.5) / chroma_size;
    vec4 stored = vec4(
        texture(luma_plane, p).r, texture(cb_plane, c).r, texture(cr_plane, c).r, 1.0);
    return clamp((to_rgb * stored).rgb, 0.0, 1.0);
}

#if PROJECTION == EQUIRECTANGULAR
vec3 picture(vec3 d) {
    vec2 p = vec2(
        (PI - atan(d.y, d.x)) / (2.0 * PI), (PI / 2.0 - atan(d.z, length(d.xy))) / PI) * size;
    // Columns go round: the planes are repeated, so that only rows have ends.
    return colour_at(p, vec2(-size.x, 0.0), vec2(2.0 * size.x, size.y));
}

#elif PROJECTION == CUBE
vec3 picture(vec3 d) {
    int nearest = 0;
    vec3 in_face = faces[0] * d;
    for (int i = 1; i < 6; ++i) {
        vec3 other = faces[i] * d;
        if (other.x > in_face.x) {
            in_face = other;
            nearest = i;
        }
    }
    vec2 q = in_face.yz / in_face.x;
#if EQUI_ANGULAR
    q = atan(q) * (4.0 / PI);
#endif
    vec2 cell = size / vec2(3.0, 2.0);
    vec2 corner = vec2(nearest % 3, nearest / 3) * cell;
    return colour_at(corner + (q + 1.0) * 0.5 * cell, corner, corner + cell);
}

#elif PROJECTION == DUAL_FISHEYE
vec3 lens(vec3 d, float side) {
    float off_axis = length(d.yz);
    float angle = atan(off_axis, side * d.x);
    if (angle > half_lens * 1.000001) {
        return vec3(0.0);
    }
    float scale = angle / half_lens / max(off_axis, 1e-9);
    vec2 middle = vec2(side > 0.0 ? 0.25 : 0.75, 0.5) * size;
    vec2 low = vec2(side > 0.0 ? 0.0 : 0.5, 0.0) * size;
    return colour_at(
        middle + vec2(-side * d.y, -d.z) * scale * radii, low, low + vec2(0.5, 1.0) * size);
}

vec3 picture(vec3 d) {
    float angle = atan(length(d.yz), d.x);
    float front = overlap > 0.0
        ? clamp(0.5 + (PI / 2.0 - angle) / overlap, 0.0, 1.0)
        : (angle <= PI / 2.0 ? 1.0 : 0.0);
    if (front >= 1.0) {
        return lens(d, 1.0);
    }
    if (front <= 0.0) {
        return lens(d, -1.0);
    }
    return mix(lens(d, -1.0), lens(d, 1.0), front);
}

#elif PROJECTION == FLAT
vec3 picture(vec3 d) {
    d = to_camera * d;
    if (d.x <= 1e-6) {
        return vec3(0.0);
    }
    vec2 p = vec2(-d.y, -d.z) / d.x / flat_step + size * 0.5;
    if (any(lessThan(p, vec2(0.0))) || any(greaterThan(p, size))) {
        return vec3(0.0);
    }
    return colour_at(p, vec2(0.0), size);
}
#endif

vec3 world(vec2 where) {
    return normalize(turn * vec3(1.0, -where.x * reach.x, where.y * reach.y));
}

// How much of a line 30 degrees apart from the next covers the pixel; `step` is the pixel's angle.
float line(float angle, float step, float width) {
    float apart = PI / 6.0;
    float away = abs(angle - apart * round(angle / apart));
    return clamp(0.5 * (width + 1.0) - away / step, 0.0, 1.0);
}

float grid_at(vec3 d) {
    vec2 seen = place * reach;
    float step = pixel.x * reach.x / (1.0 + dot(seen, seen));
    float level = length(d.xy);
    float elevation = atan(d.z, level);
    float rings = line(elevation, step, abs(elevation) < 0.1 ? 1.6 : 1.0);
    // Meridians end before they meet.
    float spokes = line(atan(d.y, d.x), step / max(level, 1e-4), 1.0);
    spokes *= 1.0 - smoothstep(1.40, 1.45, abs(elevation));
    return max(rings, spokes);
}

void main() {
    vec3 d = world(place);
#if PROJECTION == NOTHING
    vec3 rgb = background;
#elif SAMPLES == 1
    vec3 rgb = picture(d);
#else
    vec3 rgb = vec3(0.0);
    for (int i = 0; i < SAMPLES; ++i) {
        for (int j = 0; j < SAMPLES; ++j) {
            vec2 part = (vec2(i, j) + 0.5) / float(SAMPLES) - 0.5;
            rgb += picture(world(place + part * pixel));
        }
    }
    rgb /= float(SAMPLES * SAMPLES);
#endif
#if ENERGY
    vec4 beam = vec4(1.0, 3.0 * d.y, 3.0 * d.z, 3.0 * d.x);
    float level = clamp(dot(beam, energy * beam), 0.0, 1.0);
    vec4 over = texture(ramp, vec2((level * 255.0 + 0.5) / 256.0, 0.5));
    rgb = mix(rgb, over.rgb, over.a * energy_strength);
#endif
#if GRID
    rgb = mix(rgb, grid_colour.rgb, grid_colour.a * grid_at(d));
#endif
    shown = vec4(rgb, 1.0);
}
