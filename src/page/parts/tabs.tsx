/** Views of one thing, as links: each has an address of its own. */
export interface Tab {
  readonly key: string;
  readonly title: string;
  readonly href: string;
  readonly count?: number | undefined;
}

export const Tabs = ({
  label,
  tabs,
  current,
}: {
  readonly label: string;
  readonly tabs: readonly Tab[];
  readonly current: string;
}) => (
  <nav class="tabs" aria-label={label}>
    {tabs.map(({ key, title, href, count }) => (
      <a key={key} href={href} aria-current={key === current ? "page" : undefined}>
        {title}
        {count === undefined ? null : <span class="count number">{count}</span>}
      </a>
    ))}
  </nav>
);
