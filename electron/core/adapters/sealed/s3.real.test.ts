import { sealedContract } from '../../testing/sealed.contract.ts';
import { s3Cloud } from './testing/test-clouds.ts';

sealedContract('S3', s3Cloud);
