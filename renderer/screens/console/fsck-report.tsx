import type { ReactNode } from 'react';
import type { FsckReport } from '#shared/archive-contract.ts';
import { formatBytes, formatCount } from '../../lib/format.ts';

const INKS: Readonly<Record<FsckReport['findings'][number]['outcome'], string>> = { repaired: 'text-term-green', repairable: 'text-term-amber', kept: 'text-term-dim', removed: 'text-term-green', lost: 'text-term-red', unknown: 'text-term-red' };

/** What a check of the store read, found and mended. */
export function FsckReportView({ report }: { readonly report: FsckReport }): ReactNode {
  return (
    <div className="max-w-3xl" data-testid="fsck-report">
      <p className={report.sound ? 'text-term-bright' : 'text-term-red'}>{report.sound ? 'Sound: every revision can be restored.' : 'Not sound: see below what is lost, or could not be looked at.'} <span className="text-term-dim">{formatCount(report.archives, 'archive')} of {formatCount(report.projects, 'project')}, {formatBytes(report.bytes)} read and compared.{report.elsewhere > 0 && ` ${formatCount(report.elsewhere, 'archive')} only in a cloud, not looked at.`}</span></p>
      <ul className="mt-2 flex flex-col gap-1">
        {report.findings.map((finding) => (
          <li key={`${finding.projectId}/${finding.sha256 ?? ''}/${finding.problem}/${finding.revs.join()}`} className="flex gap-3"><span className={`w-20 shrink-0 ${INKS[finding.outcome]}`}>{finding.outcome}</span><span className="min-w-0">{finding.projectId === '' ? '' : `${finding.projectId}: `}{finding.text}</span></li>
        ))}
      </ul>
    </div>
  );
}
