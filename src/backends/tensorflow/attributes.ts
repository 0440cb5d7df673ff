/** An attribute of an operation, as the binding takes it. */
export interface Attribute {
  readonly name: string;
  readonly type: number;
  readonly value: unknown;
}

/** Kinds of attributes. Source: TF_AttrType in tensorflow/c/tf_attrtype.h, part of the interface of the C library. */
export const kinds = { string: 0, int: 1, float: 2, bool: 3, type: 4, shape: 5, tensor: 6 } as const;

/** Types of values. Source: TF_DataType in tensorflow/c/tf_datatype.h; the same numbers stand in graphs. */
export const dtypes = { float32: 1, int32: 3 } as const;
