-- needs: 0001
-- object: function safekeep.gcm_multiply(bigint[], bigint[])
--
-- The product of two blocks in GF(2^128) as GHASH reads them (NIST SP 800-38D, 6.3). A block is four 32-bit words, the last one
-- of its bytes first. Multiplies without carries by keeping three empty bits between any two: their sums stay within the gap
-- (T. Pornin's method for machines without a carry-less multiplication), Karatsuba's way from nine products of 32 bits. No step
-- depends on a value, and no table stands anywhere: a table of a key's multiples is as good as the key.
create or replace function safekeep.gcm_multiply(a bigint[], b bigint[]) returns bigint[]
  language plpgsql immutable strict parallel safe
  as $$
declare
  a0 constant bigint := a[1]; a1 constant bigint := a[2]; a2 constant bigint := a[3]; a3 constant bigint := a[4];
  b0 constant bigint := b[1]; b1 constant bigint := b[2]; b2 constant bigint := b[3]; b3 constant bigint := b[4];
  a01 constant bigint := a0 # a1; a23 constant bigint := a2 # a3; a02 constant bigint := a0 # a2; a13 constant bigint := a1 # a3;
  b01 constant bigint := b0 # b1; b23 constant bigint := b2 # b3; b02 constant bigint := b0 # b2; b13 constant bigint := b1 # b3;
  aq constant bigint := a01 # a23;
  bq constant bigint := b01 # b23;
  x0 bigint; x1 bigint; x2 bigint; x3 bigint;
  y0 bigint; y1 bigint; y2 bigint; y3 bigint;
  p00 bigint; p11 bigint; p22 bigint; p33 bigint; p01 bigint; p23 bigint; p02 bigint; p13 bigint; pq bigint;
  z1 bigint; z2 bigint; z3 bigint; z4 bigint; z5 bigint;
  w0 bigint; w1 bigint; w2 bigint; w3 bigint; w4 bigint; w5 bigint; w6 bigint; w7 bigint;
begin
  x0 := a0 & 286331153; x1 := a0 & 572662306; x2 := a0 & 1145324612; x3 := a0 & 2290649224;
  y0 := b0 & 286331153; y1 := b0 & 572662306; y2 := b0 & 1145324612; y3 := b0 & 2290649224;
  p00 := (((x0 * y0) # (x1 * y3) # (x2 * y2) # (x3 * y1)) & 1229782938247303441) | (((x0 * y1) # (x1 * y0) # (x2 * y3) # (x3 * y2)) & 2459565876494606882)
       | (((x0 * y2) # (x1 * y1) # (x2 * y0) # (x3 * y3)) & 4919131752989213764) | (((x0 * y3) # (x1 * y2) # (x2 * y1) # (x3 * y0)) & 614891469123651720);
  x0 := a1 & 286331153; x1 := a1 & 572662306; x2 := a1 & 1145324612; x3 := a1 & 2290649224;
  y0 := b1 & 286331153; y1 := b1 & 572662306; y2 := b1 & 1145324612; y3 := b1 & 2290649224;
  p11 := (((x0 * y0) # (x1 * y3) # (x2 * y2) # (x3 * y1)) & 1229782938247303441) | (((x0 * y1) # (x1 * y0) # (x2 * y3) # (x3 * y2)) & 2459565876494606882)
       | (((x0 * y2) # (x1 * y1) # (x2 * y0) # (x3 * y3)) & 4919131752989213764) | (((x0 * y3) # (x1 * y2) # (x2 * y1) # (x3 * y0)) & 614891469123651720);
  x0 := a2 & 286331153; x1 := a2 & 572662306; x2 := a2 & 1145324612; x3 := a2 & 2290649224;
  y0 := b2 & 286331153; y1 := b2 & 572662306; y2 := b2 & 1145324612; y3 := b2 & 2290649224;
  p22 := (((x0 * y0) # (x1 * y3) # (x2 * y2) # (x3 * y1)) & 1229782938247303441) | (((x0 * y1) # (x1 * y0) # (x2 * y3) # (x3 * y2)) & 2459565876494606882)
       | (((x0 * y2) # (x1 * y1) # (x2 * y0) # (x3 * y3)) & 4919131752989213764) | (((x0 * y3) # (x1 * y2) # (x2 * y1) # (x3 * y0)) & 614891469123651720);
  x0 := a3 & 286331153; x1 := a3 & 572662306; x2 := a3 & 1145324612; x3 := a3 & 2290649224;
  y0 := b3 & 286331153; y1 := b3 & 572662306; y2 := b3 & 1145324612; y3 := b3 & 2290649224;
  p33 := (((x0 * y0) # (x1 * y3) # (x2 * y2) # (x3 * y1)) & 1229782938247303441) | (((x0 * y1) # (x1 * y0) # (x2 * y3) # (x3 * y2)) & 2459565876494606882)
       | (((x0 * y2) # (x1 * y1) # (x2 * y0) # (x3 * y3)) & 4919131752989213764) | (((x0 * y3) # (x1 * y2) # (x2 * y1) # (x3 * y0)) & 614891469123651720);
  x0 := a01 & 286331153; x1 := a01 & 572662306; x2 := a01 & 1145324612; x3 := a01 & 2290649224;
  y0 := b01 & 286331153; y1 := b01 & 572662306; y2 := b01 & 1145324612; y3 := b01 & 2290649224;
  p01 := (((x0 * y0) # (x1 * y3) # (x2 * y2) # (x3 * y1)) & 1229782938247303441) | (((x0 * y1) # (x1 * y0) # (x2 * y3) # (x3 * y2)) & 2459565876494606882)
       | (((x0 * y2) # (x1 * y1) # (x2 * y0) # (x3 * y3)) & 4919131752989213764) | (((x0 * y3) # (x1 * y2) # (x2 * y1) # (x3 * y0)) & 614891469123651720);
  x0 := a23 & 286331153; x1 := a23 & 572662306; x2 := a23 & 1145324612; x3 := a23 & 2290649224;
  y0 := b23 & 286331153; y1 := b23 & 572662306; y2 := b23 & 1145324612; y3 := b23 & 2290649224;
  p23 := (((x0 * y0) # (x1 * y3) # (x2 * y2) # (x3 * y1)) & 1229782938247303441) | (((x0 * y1) # (x1 * y0) # (x2 * y3) # (x3 * y2)) & 2459565876494606882)
       | (((x0 * y2) # (x1 * y1) # (x2 * y0) # (x3 * y3)) & 4919131752989213764) | (((x0 * y3) # (x1 * y2) # (x2 * y1) # (x3 * y0)) & 614891469123651720);
  x0 := a02 & 286331153; x1 := a02 & 572662306; x2 := a02 & 1145324612; x3 := a02 & 2290649224;
  y0 := b02 & 286331153; y1 := b02 & 572662306; y2 := b02 & 1145324612; y3 := b02 & 2290649224;
  p02 := (((x0 * y0) # (x1 * y3) # (x2 * y2) # (x3 * y1)) & 1229782938247303441) | (((x0 * y1) # (x1 * y0) # (x2 * y3) # (x3 * y2)) & 2459565876494606882)
       | (((x0 * y2) # (x1 * y1) # (x2 * y0) # (x3 * y3)) & 4919131752989213764) | (((x0 * y3) # (x1 * y2) # (x2 * y1) # (x3 * y0)) & 614891469123651720);
  x0 := a13 & 286331153; x1 := a13 & 572662306; x2 := a13 & 1145324612; x3 := a13 & 2290649224;
  y0 := b13 & 286331153; y1 := b13 & 572662306; y2 := b13 & 1145324612; y3 := b13 & 2290649224;
  p13 := (((x0 * y0) # (x1 * y3) # (x2 * y2) # (x3 * y1)) & 1229782938247303441) | (((x0 * y1) # (x1 * y0) # (x2 * y3) # (x3 * y2)) & 2459565876494606882)
       | (((x0 * y2) # (x1 * y1) # (x2 * y0) # (x3 * y3)) & 4919131752989213764) | (((x0 * y3) # (x1 * y2) # (x2 * y1) # (x3 * y0)) & 614891469123651720);
  x0 := aq & 286331153; x1 := aq & 572662306; x2 := aq & 1145324612; x3 := aq & 2290649224;
  y0 := bq & 286331153; y1 := bq & 572662306; y2 := bq & 1145324612; y3 := bq & 2290649224;
  pq := (((x0 * y0) # (x1 * y3) # (x2 * y2) # (x3 * y1)) & 1229782938247303441) | (((x0 * y1) # (x1 * y0) # (x2 * y3) # (x3 * y2)) & 2459565876494606882)
       | (((x0 * y2) # (x1 * y1) # (x2 * y0) # (x3 * y3)) & 4919131752989213764) | (((x0 * y3) # (x1 * y2) # (x2 * y1) # (x3 * y0)) & 614891469123651720);

  -- Karatsuba twice; a product stands at its multiple of 32 bits and reaches into the next.
  z1 := p01 # p00 # p11;
  z2 := p11 # p02 # p00 # p22;
  z3 := pq # p02 # p13 # p01 # p00 # p11 # p23 # p22 # p33;
  z4 := p22 # p13 # p11 # p33;
  z5 := p23 # p22 # p33;
  -- GHASH counts bits from the other end: the product stands one bit too low.
  w0 := (p00 << 1) & 4294967295;
  w1 := ((p00 >> 31) # (z1 << 1)) & 4294967295;
  w2 := ((z1 >> 31) # (z2 << 1)) & 4294967295;
  w3 := ((z2 >> 31) # (z3 << 1)) & 4294967295;
  w4 := ((z3 >> 31) # (z4 << 1)) & 4294967295;
  w5 := ((z4 >> 31) # (z5 << 1)) & 4294967295;
  w6 := ((z5 >> 31) # (p33 << 1)) & 4294967295;
  w7 := p33 >> 31;
  -- Modulo x^128 + x^7 + x^2 + x + 1, the lowest word first.
  w4 := w4 # w0 # (w0 >> 1) # (w0 >> 2) # (w0 >> 7);
  w3 := w3 # (((w0 << 31) # (w0 << 30) # (w0 << 25)) & 4294967295);
  w5 := w5 # w1 # (w1 >> 1) # (w1 >> 2) # (w1 >> 7);
  w6 := w6 # w2 # (w2 >> 1) # (w2 >> 2) # (w2 >> 7);
  w7 := w7 # w3 # (w3 >> 1) # (w3 >> 2) # (w3 >> 7);
  return array[w4 # (((w1 << 31) # (w1 << 30) # (w1 << 25)) & 4294967295), w5 # (((w2 << 31) # (w2 << 30) # (w2 << 25)) & 4294967295),
               w6 # (((w3 << 31) # (w3 << 30) # (w3 << 25)) & 4294967295), w7];
end
$$;
