import { Empty } from "../parts/message.tsx";

export const NowhereView = ({ path }: { readonly path: string }) => (
  <Empty title={`There is nothing at ${path.slice(0, 200)}`}>
    <a href="#/">All fleets</a>
  </Empty>
);
