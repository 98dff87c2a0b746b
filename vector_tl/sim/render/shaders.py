"""The few shader programs of the renderer (GLSL 330)."""

_SCENE_VERTEX = """
#version 330
uniform mat4 model, view_projection, shadow_matrix;
uniform float above_ground_only;
in vec3 in_position; in vec3 in_normal; in vec2 in_uv; in vec3 in_color; in vec4 in_surface;
out vec3 position, normal; out vec2 uv; flat out vec4 surface; out vec3 shadow_position;
TINT out vec3 color;
#ifdef LOOK
out vec3 at_rest;
#endif
void main() {
#ifdef LOOK
    at_rest = in_position;
#endif
    vec4 world = model * vec4(in_position, 1.0);
    position = world.xyz;
    normal = mat3(model) * in_normal;
    uv = in_uv; color = in_color; surface = in_surface;
    shadow_position = (shadow_matrix * world).xyz * 0.5 + 0.5;
    gl_ClipDistance[0] = above_ground_only > 0.5 ? world.z : 1.0;
    gl_Position = view_projection * world;
}
"""

# surface = roughness, reflectance, emission, texture layer. Alpha carries the instance id.
_SCENE_FRAGMENT = """
#version 330
uniform sampler2DArray textures;
uniform samplerCube environment;
uniform vec3 sky[6];                   // light on a surface that faces +x, -x, +y, -y, +z, -z
uniform vec3 sky_above;                // the one that faces +z
uniform sampler2DShadow shadow_map;
uniform sampler2D mirror_image;      // the scene mirrored in the ground, seen from the same camera
uniform vec3 eye, to_lamp, lamp_color, paint, eye_tint;
uniform float mirror_level;            // of the mirror image's levels, which is as blurred as the ground
uniform vec2 image_size;
uniform vec4 footprints[4];            // x, y, cos, sin of every robot; contact shadows
uniform int footprint_count;
uniform float instance;
in vec3 position, normal; in vec2 uv; flat in vec4 surface; in vec3 shadow_position;
TINT in vec3 color;
out vec4 image;

#ifdef LOOK
uniform vec4 shell;                    // its paint; alpha 1 where painted, 2 with arms, 0 bare
uniform vec4 pattern;                  // a second paint; alpha 1 in bands, 2 on one half, 3 in spots, 0 none
uniform vec4 wear;                     // dust, scratches, the treads' grey, gloss
uniform vec4 stickers[2];              // centre in the resting robot's frame, radius (0: none)
uniform vec3 sticker_colors[4];        // of each: face, rim
uniform vec3 glints[2], glint_color;   // small lamps that glossy parts mirror
uniform float own_light;
in vec3 at_rest;

float hash(vec3 p) {
    p = fract(p * 0.3183099 + 0.1) * 17.0;
    return fract(p.x * p.y * p.z * (p.x + p.y + p.z));
}

float noise(vec3 p) {                  // value noise, smooth, 0 to 1
    vec3 i = floor(p), f = fract(p);
    f *= f * (3.0 - 2.0 * f);
    vec4 low = vec4(hash(i), hash(i + vec3(1, 0, 0)), hash(i + vec3(0, 1, 0)), hash(i + vec3(1, 1, 0)));
    i.z += 1.0;
    vec4 high = vec4(hash(i), hash(i + vec3(1, 0, 0)), hash(i + vec3(0, 1, 0)), hash(i + vec3(1, 1, 0)));
    vec4 level = mix(low, high, f.z);
    vec2 line = mix(level.xz, level.yw, f.x);
    return mix(line.x, line.y, f.y);
}

// What a look changes of a surface: surface.w is the part of the robot, as `mesh.BACK_SHELL` and so on.
void dress(vec3 n, inout vec3 albedo, inout float roughness) {
    float part = surface.w;
    bool is_shell = part > -0.5 && part < 1.5, is_limb = part > 1.5 && part < 2.5;
    if ((is_shell && shell.a > 0.5) || (is_limb && shell.a > 1.5)) {
        albedo = shell.rgb;
        if (pattern.a > 2.5) { if (length(mod(at_rest, 14.0) - 7.0) < 5.5) albedo = pattern.rgb; }
        else if (pattern.a > 1.5) { if (at_rest.y > 0.0) albedo = pattern.rgb; }
        else if (pattern.a > 0.5) { if (mod(at_rest.x, 16.0) < 7.0) albedo = pattern.rgb; }
    }
    roughness *= wear.w;
    vec2 plate = abs(at_rest.xy - vec2(-38.0, 0.0)) - vec2(9.0, 10.0);
    if (part > -0.5 && part < 0.5 && at_rest.z > 56.0 && max(plate.x, plate.y) < 0.0) {
        albedo = vec3(0.42, 0.35, 0.22);           // the touch sensor's bronze plate, with its black button
        if (length(at_rest.xy - vec2(-37.0, 0.0)) < 3.4) albedo = vec3(0.01);
    }
    if (part > 2.5 && part < 3.5) albedo *= wear.z;
    if (is_shell) {
        for (int i = 0; i < 2; i++) {
            float off = distance(at_rest, stickers[i].xyz) / max(stickers[i].w, 1e-3);
            if (off < 1.0) {
                albedo = off < 0.8 ? sticker_colors[2 * i] : sticker_colors[2 * i + 1];
                roughness = 0.5;
            }
        }
    }
    if (wear.y > 0.0) {
        float line = noise(at_rest * vec3(0.12, 1.7, 0.3) + 7.0) + noise(at_rest.zxy * vec3(1.9, 0.1, 0.2));
        float scratch = smoothstep(0.02, 0.0, abs(line * 0.5 - 0.5)) * wear.y * noise(at_rest * 0.15);
        albedo = mix(albedo, vec3(0.22), 0.35 * scratch);
        roughness = mix(roughness, 0.7, scratch);
    }
    if (wear.x > 0.0) {
        float patches = smoothstep(0.25, 0.8, noise(at_rest * 0.11) * 0.6 + noise(at_rest * 0.9) * 0.4);
        float dust = wear.x * patches * (0.25 + 0.75 * max(n.z, 0.0));
        albedo = mix(albedo, vec3(0.26, 0.24, 0.21), dust * 0.45);
        roughness = mix(roughness, 0.85, dust);
    }
}
#endif

#ifdef GROUND
float contact_shadow() {               // how much of the sky a robot hides from a point of the ground
    float light = 1.0;
    for (int i = 0; i < footprint_count; i++) {
        vec2 d = position.xy - footprints[i].xy;
        vec2 left = vec2(-footprints[i].w, footprints[i].z);
        d = vec2(dot(d, footprints[i].zw), dot(d, left)) - vec2(-18.0, 0.0);
        vec2 outside = abs(d) - vec2(36.0, 26.0);
        float distance = length(max(outside, 0.0)) + min(max(outside.x, outside.y), 0.0);
        light *= 1.0 - 0.85 * exp(-max(distance + 6.0, 0.0) / 14.0);
    }
    return light;
}
#else
vec3 light_on(vec3 n) {                // from all around, on a surface that faces n
    vec3 share = abs(n);                // as between the faces of a cube map of one texel each
    share /= max(share.x, max(share.y, share.z));
    vec3 main_side = step(0.99999, share);
    share *= 0.5 - share.yzx * share.zxy / 6.0;
    share += (1.0 - share.x - share.y - share.z) * main_side;
    vec3 x = n.x > 0.0 ? sky[0] : sky[1], y = n.y > 0.0 ? sky[2] : sky[3], z = n.z > 0.0 ? sky[4] : sky[5];
    return share.x * x + share.y * y + share.z * z;
}
#endif

void main() {
    vec3 to_eye = normalize(eye - position);
#ifdef GROUND
    const vec3 n = vec3(0.0, 0.0, 1.0);
#else
    vec3 n = normalize(normal);
    if (dot(n, to_eye) < 0.0) n = -n;
#endif
    vec3 albedo = color;
    float roughness = clamp(surface.x, 0.04, 1.0), emission = surface.z;
#ifdef VECTOR
#ifdef LOOK
    emission *= own_light;
#endif
    if (emission > 0.0) { albedo *= eye_tint / vec3(0.10, 0.62, 1.0); emission *= paint.z; }
    else { albedo *= paint.x; roughness = clamp(roughness * paint.y, 0.04, 1.0); }
#ifdef LOOK
    if (surface.z <= 0.0) { dress(n, albedo, roughness); roughness = clamp(roughness, 0.04, 1.0); }
    else if (emission <= 0.0) albedo = vec3(0.004);   // a light that is off is dark glass
#endif
#else
    if (surface.w > -0.5) {
        vec2 mirrored = 1.0 - abs(1.0 - mod(uv, 2.0));   // every other repeat mirrored: no seam
        vec3 texel = texture(textures, vec3(mirrored, surface.w)).rgb;
        albedo *= texel * texel;
    }
#endif
    float facing = clamp(dot(n, to_eye), 0.0, 1.0);   // a rounding above 1 makes pow() below a NaN
    float grazing = (1.0 - facing) * (1.0 - facing);
    grazing *= grazing * (1.0 - facing);
    float fresnel = surface.y + (max(1.0 - roughness, surface.y) - surface.y) * grazing;

#ifdef GROUND
    vec3 light = albedo * sky_above * contact_shadow();
    vec3 reflected = textureLod(mirror_image, gl_FragCoord.xy / image_size, mirror_level).rgb;
#else
    vec3 light = albedo * light_on(n);
    vec3 reflected = textureLod(environment, reflect(-to_eye, n), floor(roughness * 5.0 + 0.5)).rgb;
#endif
    light += reflected * fresnel;

    float lambert = max(dot(n, to_lamp), 0.0);
    if (lambert > 0.0) {
        float lit = 1.0;
        if (all(greaterThan(shadow_position, vec3(0.0))) && all(lessThan(shadow_position, vec3(1.0)))) {
            lit = texture(shadow_map, vec3(shadow_position.xy, shadow_position.z - 0.003));
        }
        vec3 half_way = normalize(to_lamp + to_eye);
        float power = 2.0 / (roughness * roughness + 0.01);
        float highlight = (power + 2.0) / 8.0 * pow(max(dot(n, half_way), 0.0), power) * surface.y;
        light += lamp_color * lambert * lit * (albedo * 0.8 + min(highlight, 4.0));
    }
#ifdef LOOK
    float tight = 8.0 / (roughness * roughness + 0.003);
    for (int i = 0; i < 2; i++) {
        float sharp = pow(max(dot(n, normalize(glints[i] + to_eye)), 0.0), tight);
        light += glint_color * sharp * (fresnel + 0.02) * (1.0 - roughness);
    }
#endif
#ifdef VECTOR
    if (instance > 199.5) light *= 0.22;   // the viewer's own body stands in the shade of its head
#endif
    image = vec4(light + albedo * emission, instance);
}
"""

SCENE_KINDS = ("VECTOR", "GROUND", "ROOM")
LOOK = "VECTOR\n#define LOOK"  # a Vector with a look of its own


def scene_shaders(kind: str) -> tuple[str, str]:
    """The vertex and the fragment shader of the scene for `LOOK` or one of `SCENE_KINDS`.

    On a CPU a pixel pays for both sides of a branch, so each kind has a program of its own.
    """
    version = "#version 330"
    tint = "#define TINT" + (" flat" if kind != "GROUND" else "")  # only the ground's colour varies on a face
    vertex, fragment = (
        source.replace(version, f"{version}\n#define {kind}\n{tint}")
        for source in (_SCENE_VERTEX, _SCENE_FRAGMENT)
    )
    return vertex, fragment


SHADOW_VERTEX = """
#version 330
uniform mat4 model, shadow_matrix;
in vec3 in_position;
void main() { gl_Position = shadow_matrix * model * vec4(in_position, 1.0); }
"""

SHADOW_FRAGMENT = """
#version 330
void main() {}
"""
