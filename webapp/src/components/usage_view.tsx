/** What one's key has used, day by day, and what is left of its limits. */

import { useEffect, type ReactNode } from 'react';
import type { Usage, UsageShare } from '../api/types';
import { shellStrings as strings } from '../shell_strings';
import { loadUsage, useUsage } from '../state/usage';

export function UsageView(): ReactNode {
  const { state, usage, failure } = useUsage();
  useEffect(() => void loadUsage(), []);
  if (state === 'failed') {
    return (
      <div className="page-notice" role="alert">
        <h2>{strings.usageFailed}</h2>
        <p>{failure?.message}</p>
        <button type="button" className="button" onClick={() => void loadUsage()}>
          {strings.tryAgain}
        </button>
      </div>
    );
  }
  if (usage === null) {
    return (
      <p className="page-notice" role="status">
        {strings.loading}
      </p>
    );
  }
  return (
    <div className="usage">
      {usage.keyId === null ? <p className="hint">{strings.noKey}</p> : <Limits left={usage.left} />}
      <Days usage={usage} />
    </div>
  );
}

function Limits({ left }: { left: Usage['left'] }): ReactNode {
  const names = Object.keys(strings.limitNames) as (keyof Usage['left'])[];
  return (
    <section aria-labelledby="usage-limits">
      <h2 id="usage-limits">{strings.limitsTitle}</h2>
      {names.map((name) => {
        const share = left[name];
        return share === null ? null : <Limit key={name} name={strings.limitNames[name]} share={share} />;
      })}
      {names.every((name) => left[name] === null) && <p className="hint">{strings.noLimits}</p>}
    </section>
  );
}

function Limit({ name, share }: { name: string; share: UsageShare }): ReactNode {
  return (
    <div className="usage-limit">
      <span>
        {name}: {strings.limitLeft(share.remaining, share.limit)}
      </span>
      <meter aria-label={name} min={0} max={share.limit} value={share.remaining} />
    </div>
  );
}

function Days({ usage }: { usage: Usage }): ReactNode {
  const { totals, rows } = usage;
  return (
    <section aria-labelledby="usage-days">
      <h2 id="usage-days">{strings.usageSince(usage.firstDay)}</h2>
      <p>{strings.usageTotals(totals.numRequests, totals.promptTokens + totals.completionTokens)}</p>
      {rows.length === 0 ? (
        <p className="hint">{strings.usageNone}</p>
      ) : (
        <div className="usage-days" role="region" aria-labelledby="usage-days" tabIndex={0}>
          <DayTable rows={rows} />
        </div>
      )}
    </section>
  );
}

function DayTable({ rows }: { rows: Usage['rows'] }): ReactNode {
  return (
    <table>
      <thead>
        <tr>
          {strings.usageColumns.map((name) => (
            <th key={name} scope="col">
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={`${row.day} ${row.model}`}>
            <td>{row.day}</td>
            <td>{row.model}</td>
            <td>{row.numRequests.toLocaleString('en')}</td>
            <td>{row.promptTokens.toLocaleString('en')}</td>
            <td>{row.completionTokens.toLocaleString('en')}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
