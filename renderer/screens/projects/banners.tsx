import { HardDrive, LifeBuoy } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import { Button } from '../../design/button.tsx';
import { Banner } from '../../design/surface.tsx';
import { startAndShow } from '../../state/actions.ts';
import { useClient } from '../../state/client-context.ts';
import { navigate } from '../../state/navigate.ts';
import { useStore } from '../../state/store.ts';
import { TimeAgo } from './time-ago.tsx';

/** What needs a decision before anything else. */
export function Banners(): ReactNode {
  const client = useClient();
  const hosts = useStore((state) => state.hosts);
  const local = hosts['local'];
  // Who works on other machines need not set this one up.
  const elsewhere = Object.values(hosts).some((host) => host.kind === 'ssh' && host.status === 'ready');
  const orphans = useStore((state) => state.orphans);
  const projects = useStore((state) => state.projects);
  const [hidden, setHidden] = useState<readonly string[]>([]);
  return (
    <>
      {local?.status === 'not-provisioned' && !elsewhere && (
        <Banner
          tone="info" icon={<HardDrive size={18} />} title={local.activeOperationId === null ? 'This computer is not set up yet' : 'Setting up this computer'} testId="banner-provision"
          actions={local.activeOperationId === null
            ? <Button variant="primary" onClick={() => navigate({ screen: 'host', hostId: 'local' })} data-testid="go-provision">Set up this computer</Button>
            : <Button onClick={() => navigate({ screen: 'console', operationId: local.activeOperationId ?? '' })}>Show progress</Button>}
        >
          {local.activeOperationId === null
            ? 'Vessel has to build the image that every environment starts from, once. You see the plan before anything is changed.'
            : 'Vessel builds the image that every environment starts from, once. You can create projects meanwhile; opening one waits for it.'}
        </Banner>
      )}
      {local?.status === 'unreachable' && (
        <Banner tone="bad" icon={<HardDrive size={18} />} title="infra-agent on this computer does not answer" testId="banner-unreachable" actions={<Button onClick={() => navigate({ screen: 'host', hostId: 'local' })}>Run the doctor</Button>}>
          Your projects are safe in cold storage; they can be exported, but not opened.
        </Banner>
      )}
      {orphans.filter((orphan) => !hidden.includes(orphan.vmId)).map((orphan) => (
        <Banner
          key={`${orphan.hostId}/${orphan.vmId}`} tone="warn" icon={<LifeBuoy size={18} />} testId={`orphan-${orphan.vmId}`}
          title={`An environment runs${orphan.hostId === 'local' ? '' : ` on ${hosts[orphan.hostId]?.name ?? orphan.hostId}`} that Vessel did not expect: ${projects[orphan.vmId]?.name ?? orphan.vmId}`}
          actions={<>
            <Button variant="quiet" onClick={() => setHidden((before) => [...before, orphan.vmId])}>Later</Button>
            <Button variant="primary" data-testid="rescue" onClick={() => void startAndShow(() => client.call('environments.rescue', { hostId: orphan.hostId, vmId: orphan.vmId }))}>Rescue its work</Button>
          </>}
        >
          {orphan.startedAt !== null && <>Started <TimeAgo at={orphan.startedAt} />. </>}
          Rescue saves its workspace as a new revision{orphan.knownProject ? '' : ' of a new project'} and then ends it. Nothing is deleted.
        </Banner>
      ))}
    </>
  );
}
