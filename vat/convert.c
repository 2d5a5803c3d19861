/* SPDX-License-Identifier: MIT */
#include "convert.h"

#include <stdlib.h>

/* Elements that a step handles before the next one's turn: few enough to stay in the cache. */
#define BLOCK 256

enum kind {
	KIND_UNSIGNED,
	KIND_SIGNED,
	KIND_FLOAT,
};

struct vat_plan_step {
	enum { STEP_COPY, STEP_CONVERT, STEP_FILL } op;
	uint32_t from, to; /* offsets in the element */
	uint32_t size;	   /* STEP_COPY: bytes; STEP_FILL: of one value */
	uint32_t count;	   /* values */
	uint32_t from_type, to_type;
	uint8_t value[8];
};

static enum kind kind_of(uint32_t type) {
	switch (type) {
	case VAT_I8:
	case VAT_I16:
	case VAT_I32:
	case VAT_I64:
		return KIND_SIGNED;
	case VAT_F32:
	case VAT_F64:
		return KIND_FLOAT;
	default:
		return KIND_UNSIGNED;
	}
}

static bool is_number(uint32_t type) {
	return (type >= VAT_U8 && type <= VAT_F64) || type == VAT_BOOL;
}

static bool is_byte(uint32_t type) {
	return type == VAT_U8 || type == VAT_TEXT || type == VAT_BYTES;
}

/* Bits of an integer that a type holds exactly, without the sign. */
static unsigned exact_bits(uint32_t type) {
	switch (type) {
	case VAT_BOOL:
		return 1;
	case VAT_F32:
		return 24;
	case VAT_F64:
		return 53;
	default:
		return (unsigned)vat_type_size(type) * 8 - (kind_of(type) == KIND_SIGNED);
	}
}

static bool is_lossless(uint32_t from, uint32_t to) {
	if (from == to || (is_byte(from) && is_byte(to)))
		return true;
	if (!is_number(from) || !is_number(to))
		return false;
	enum kind a = kind_of(from), b = kind_of(to);
	if (a == KIND_FLOAT)
		return b == KIND_FLOAT && exact_bits(to) >= exact_bits(from);
	if (a == KIND_SIGNED && b == KIND_UNSIGNED)
		return false;
	/* The lowest signed number needs a bit more than the others, except as a power of two. */
	return exact_bits(to) >= exact_bits(from);
}

/* ---- Running ---- */

union number {
	uint64_t u;
	int64_t i;
	double f;
};

#define LOAD(type, member)                                                                         \
	for (size_t k = 0; k < n; k++) {                                                           \
		type value;                                                                        \
		memcpy(&value, from + k * stride, sizeof(value));                                  \
		out[k].member = value;                                                             \
	}                                                                                          \
	break

static void load(union number *out, const uint8_t *from, size_t stride, size_t n, uint32_t type) {
	switch (type) {
	case VAT_U8:
		LOAD(uint8_t, u);
	case VAT_BOOL:
		for (size_t k = 0; k < n; k++)
			out[k].u = from[k * stride] != 0;
		break;
	case VAT_U16:
		LOAD(uint16_t, u);
	case VAT_U32:
		LOAD(uint32_t, u);
	case VAT_U64:
		LOAD(uint64_t, u);
	case VAT_I8:
		for (size_t k = 0; k < n; k++)
			out[k].i = (from[k * stride] ^ 0x80) - 0x80; /* extends the sign */
		break;
	case VAT_I16:
		LOAD(int16_t, i);
	case VAT_I32:
		LOAD(int32_t, i);
	case VAT_I64:
		LOAD(int64_t, i);
	case VAT_F32:
		LOAD(float, f);
	case VAT_F64:
		LOAD(double, f);
	default: /* only numbers are converted */
		memset(out, 0, n * sizeof(*out));
		break;
	}
}

/* Saturating: a lossy conversion that was asked for gives the nearest value there is. */
static uint64_t to_unsigned(union number value, enum kind kind, uint64_t max) {
	if (kind == KIND_SIGNED)
		return value.i < 0 ? 0 : (uint64_t)value.i > max ? max : (uint64_t)value.i;
	if (kind == KIND_FLOAT) {
		if (!(value.f > 0))
			return 0;
		return value.f >= (double)max ? max : (uint64_t)value.f;
	}
	return value.u > max ? max : value.u;
}

static int64_t to_signed(union number value, enum kind kind, int64_t max) {
	int64_t min = -max - 1;
	if (kind == KIND_UNSIGNED)
		return value.u > (uint64_t)max ? max : (int64_t)value.u;
	if (kind == KIND_FLOAT) {
		if (__builtin_isnan(value.f))
			return 0;
		if (value.f >= (double)max)
			return max;
		return value.f <= (double)min ? min : (int64_t)value.f;
	}
	return value.i > max ? max : value.i < min ? min : value.i;
}

static double to_float(union number value, enum kind kind) {
	return kind == KIND_FLOAT     ? value.f
		: kind == KIND_SIGNED ? (double)value.i
				      : (double)value.u;
}

#define STORE(type, expression)                                                                    \
	for (size_t k = 0; k < n; k++) {                                                           \
		type value = (type)(expression);                                                   \
		memcpy(to + k * stride, &value, sizeof(value));                                    \
	}                                                                                          \
	break

static float narrow(double value) {
	/* A double beyond float's range has no defined conversion in C. */
	if (value > (double)__FLT_MAX__)
		return __builtin_inff();
	if (value < -(double)__FLT_MAX__)
		return -__builtin_inff();
	return (float)value;
}

static void store(const union number *in, enum kind kind, uint8_t *to, size_t stride, size_t n,
	uint32_t type) {
	switch (type) {
	case VAT_U8:
		STORE(uint8_t, to_unsigned(in[k], kind, UINT8_MAX));
	case VAT_BOOL:
		STORE(uint8_t, kind == KIND_FLOAT ? in[k].f != 0 : in[k].u != 0);
	case VAT_U16:
		STORE(uint16_t, to_unsigned(in[k], kind, UINT16_MAX));
	case VAT_U32:
		STORE(uint32_t, to_unsigned(in[k], kind, UINT32_MAX));
	case VAT_U64:
		STORE(uint64_t, to_unsigned(in[k], kind, UINT64_MAX));
	case VAT_I8:
		STORE(int8_t, to_signed(in[k], kind, INT8_MAX));
	case VAT_I16:
		STORE(int16_t, to_signed(in[k], kind, INT16_MAX));
	case VAT_I32:
		STORE(int32_t, to_signed(in[k], kind, INT32_MAX));
	case VAT_I64:
		STORE(int64_t, to_signed(in[k], kind, INT64_MAX));
	case VAT_F32:
		STORE(float, narrow(to_float(in[k], kind)));
	case VAT_F64:
		STORE(double, to_float(in[k], kind));
	default:
		break;
	}
}

static void convert(const struct vat_plan_step *step, const uint8_t *from, size_t from_stride,
	uint8_t *to, size_t to_stride, size_t n) {
	union number numbers[BLOCK];
	for (size_t k = 0; k < n; k += BLOCK) {
		size_t m = n - k < BLOCK ? n - k : BLOCK;
		load(numbers, from + k * from_stride, from_stride, m, step->from_type);
		store(numbers, kind_of(step->from_type), to + k * to_stride, to_stride, m,
			step->to_type);
	}
}

static void run_step(const struct vat_plan *plan, const struct vat_plan_step *step,
	const uint8_t *from, uint8_t *to, size_t n) {
	size_t from_size = vat_type_size(step->from_type), to_size = vat_type_size(step->to_type);
	switch (step->op) {
	case STEP_COPY:
		if (step->size == plan->from_stride && step->size == plan->to_stride) {
			memcpy(to + step->to, from + step->from, step->size * n);
			break;
		}
		for (size_t k = 0; k < n; k++)
			memcpy(to + k * plan->to_stride + step->to,
				from + k * plan->from_stride + step->from, step->size);
		break;
	case STEP_CONVERT:
		/* Along the longer side: one element's array, or one field of many elements. */
		if (step->count > n) {
			for (size_t k = 0; k < n; k++)
				convert(step, from + k * plan->from_stride + step->from, from_size,
					to + k * plan->to_stride + step->to, to_size, step->count);
			break;
		}
		for (size_t j = 0; j < step->count; j++)
			convert(step, from + step->from + j * from_size, plan->from_stride,
				to + step->to + j * to_size, plan->to_stride, n);
		break;
	case STEP_FILL:
		for (size_t k = 0; k < n; k++) {
			uint8_t *at = to + k * plan->to_stride + step->to;
			for (size_t j = 0; j < step->count; j++)
				memcpy(at + j * step->size, step->value, step->size);
		}
		break;
	}
}

void vat_plan_run(const struct vat_plan *plan, const void *from, void *to, uint64_t n) {
	const uint8_t *p = from ? from : to; /* not read without from */
	uint8_t *q = to;
	for (uint64_t done = 0; done < n; done += BLOCK) {
		size_t m = n - done < BLOCK ? (size_t)(n - done) : BLOCK;
		for (size_t i = 0; i < plan->count; i++)
			run_step(plan, &plan->steps[i], p + done * plan->from_stride,
				q + done * plan->to_stride, m);
	}
}

/* ---- Making ---- */

static void add_copy(struct vat_plan *plan, uint32_t from, uint32_t to, uint32_t size) {
	if (plan->count > 0) {
		struct vat_plan_step *last = &plan->steps[plan->count - 1];
		if (last->op == STEP_COPY && last->from + last->size == from &&
			last->to + last->size == to) {
			last->size += size;
			return;
		}
	}
	plan->steps[plan->count++] =
		(struct vat_plan_step){.op = STEP_COPY, .from = from, .to = to, .size = size};
}

static void add_fill(struct vat_plan *plan, const struct vat_stored_field *field, uint32_t first) {
	struct vat_plan_step step = {
		.op = STEP_FILL,
		.size = (uint32_t)vat_type_size(field->type),
		.count = field->count - first,
	};
	step.to = field->offset + first * step.size;
	if (step.count > 0 && vat_initial_bytes(field, step.value))
		plan->steps[plan->count++] = step;
}

static int plan_field(struct vat_plan *plan, const struct vat_stored_field *from,
	const struct vat_stored_field *to, bool anew) {
	int rc = 0;
	uint32_t count = from->count < to->count ? from->count : to->count;
	if (from->type == to->type || (is_byte(from->type) && is_byte(to->type))) {
		add_copy(plan, from->offset, to->offset, count * (uint32_t)vat_type_size(to->type));
	} else if (is_number(from->type) && is_number(to->type)) {
		bool fits = is_lossless(from->type, to->type);
		if (!fits)
			rc = vat_losses_add(&plan->losses, to,
				"does not always fit from %s into %s", vat_type_name(from->type),
				vat_type_name(to->type));
		if (!fits && anew)
			count = 0;
		else
			plan->steps[plan->count++] = (struct vat_plan_step){
				.op = STEP_CONVERT,
				.from = from->offset,
				.to = to->offset,
				.count = count,
				.from_type = from->type,
				.to_type = to->type,
			};
	} else {
		rc = vat_losses_add(&plan->losses, to, "was %s and cannot become %s",
			vat_type_name(from->type), vat_type_name(to->type));
		count = 0;
	}
	if (rc == 0 && count > 0 && from->count > to->count)
		rc = vat_losses_add(
			&plan->losses, to, "is cut from %u values to %u", from->count, to->count);
	add_fill(plan, to, count);
	return rc;
}

static int prepare(struct vat_plan *plan, const struct vat_cell *to) {
	/* A field needs two steps at most: its old values, then initial ones behind them. */
	*plan = (struct vat_plan){.to_stride = to->stride};
	plan->steps = calloc((size_t)to->field_count * 2 + 1, sizeof(*plan->steps));
	return plan->steps ? 0 : -ENOMEM;
}

int vat_plan_init_fresh(struct vat_plan *plan, const struct vat_cell *to) {
	if (prepare(plan, to) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < to->field_count; i++) {
		if (to->fields[i].type != VAT_GONE)
			add_fill(plan, &to->fields[i], 0);
	}
	return 0;
}

static int not_declared(struct vat_plan *plan, const struct vat_stored_field *field) {
	return field->type == VAT_GONE
		? 0
		: vat_losses_add(&plan->losses, field, "is not declared any more");
}

static int plan_fields(
	struct vat_plan *plan, const struct vat_cell *from, const struct vat_cell *to, bool anew) {
	uint32_t i = 0;
	int rc = 0;
	for (uint32_t j = 0; j < to->field_count && rc == 0; j++) {
		const struct vat_stored_field *field = &to->fields[j];
		for (; i < from->field_count && from->fields[i].id < field->id && rc == 0; i++)
			rc = not_declared(plan, &from->fields[i]);
		const struct vat_stored_field *old = NULL;
		if (i < from->field_count && from->fields[i].id == field->id)
			old = &from->fields[i++];
		if (field->type == VAT_GONE || rc != 0)
			continue;
		if (old && old->type != VAT_GONE)
			rc = plan_field(plan, old, field, anew);
		else
			add_fill(plan, field, 0);
	}
	for (; i < from->field_count && rc == 0; i++)
		rc = not_declared(plan, &from->fields[i]);
	return rc;
}

int vat_plan_init(
	struct vat_plan *plan, const struct vat_cell *from, const struct vat_cell *to, bool anew) {
	if (prepare(plan, to) < 0)
		return -ENOMEM;
	plan->from_stride = from->stride;
	if (vat_cell_same_shape(from, to)) {
		add_copy(plan, 0, 0, to->stride);
		return 0;
	}
	int rc = plan_fields(plan, from, to, anew);
	if (rc < 0)
		vat_plan_finish(plan);
	return rc;
}

void vat_plan_finish(struct vat_plan *plan) {
	free(plan->steps);
	vat_losses_finish(&plan->losses);
	*plan = (struct vat_plan){0};
}
