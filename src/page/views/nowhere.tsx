/** An address that leads to no view. */
export const NowhereView = ({ path }: { readonly path: string }) => (
  <div class="empty">
    <h1>There is nothing at {path.slice(0, 200)}</h1>
    <p class="empty-next">
      <a href="#/">All fleets</a>
    </p>
  </div>
);
