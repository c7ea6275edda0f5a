/**
 * The same URL with one of its hosts. A cursor lives on the router that opened it, and commands of one client go to any of its routers.
 *
 * @param pick 0 ≤ pick < 1: which of them
 */
export function oneHostUrl(url: string, pick: number): string {
  const [, before = '', hosts = '', after = ''] = /^(mongodb(?:\+srv)?:\/\/(?:[^@/]*@)?)([^/?]+)(.*)$/.exec(url) ?? [];
  if (before.startsWith('mongodb+srv')) {
    const [path, query] = after.split('?', 2) as [string, string?];
    return `${before}${hosts}${path === '' ? '/' : path}?${query === undefined || query === '' ? '' : `${query}&`}srvMaxHosts=1`;
  }
  const all = hosts.split(',');
  return `${before}${all[Math.floor(pick * all.length)] ?? hosts}${after}`;
}
